// Command network-policies enforces NetworkPolicies on one node: the first packet of each connection of a pod that
// a policy selects goes through a netfilter queue to this process, which accepts or drops it. It is upstream's
// controller with a kubeconfig, a nftables table and a runtime socket of our own, where upstream's command knows only
// the in-cluster configuration and the machine's default runtime.
package main

import (
	"context"
	"flag"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the cluster")
	node := flag.String("node", "", "name of the node whose pods are guarded")
	table := flag.String("table", "network-policies", "nftables table to keep the rules in")
	queue := flag.Int("queue", 100, "number of the netfilter queue")
	runtime := flag.String("nri", "", "the container runtime's NRI socket")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	client, err := kubernetes.NewForConfig(config)
	check(err)
	check(attach(*runtime))

	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(), factory.Core().V1().Pods(), nil, nil, nil, nil,
		networkpolicy.Config{NodeName: *node, NFTableName: *table, QueueID: *queue})
	check(err)
	factory.Start(ctx.Done())
	check(controller.Run(ctx))
}

func check(err error) {
	if err != nil {
		klog.Fatal(err)
	}
}

// attach hands the plugin that the controller makes a connection to our runtime: left to itself it would look for
// the machine's own runtime at the default path.
func attach(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	file, err := connection.(*net.UnixConn).File()
	if err != nil {
		return err
	}
	defer file.Close()
	// The plugin takes the descriptor for its own and closes it, so it gets one that no Go object here closes, too:
	// the number may by then be that of another socket, such as the queue's.
	descriptor, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		return err
	}
	return os.Setenv("NRI_PLUGIN_SOCKET", strconv.Itoa(descriptor))
}
