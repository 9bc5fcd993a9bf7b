// What the page of Kubeflow Pipelines asks which team's runs to show. The page looks for this file, and in it for
// the object below, wherever runs belong to namespaces; in a whole Kubeflow its dashboard brings them. Here: a
// choice among the teams that Kubernetes lets the person see, remembered by the browser.
(function () {
  "use strict";
  var KEY = "ziggurat.team";

  function mayView(namespace) {
    var query = "?namespace=" + encodeURIComponent(namespace) + "&resources=VIEWERS&verb=GET";
    return fetch("/apis/v1beta1/auth" + query, { credentials: "same-origin" }).then(
      function (answer) { return answer.ok; },
      function () { return false; }
    );
  }

  function visible(teams) {
    var names = Object.keys(teams).sort();
    return Promise.all(names.map(function (name) { return mayView(teams[name]); })).then(function (seen) {
      return names.filter(function (_, index) { return seen[index]; });
    });
  }

  function say(text) {
    var box = document.createElement("div");
    box.setAttribute("role", "status");
    box.style.cssText = "position:fixed;top:12px;right:16px;z-index:1300;font:14px sans-serif;background:#fff";
    box.textContent = text;
    document.body.appendChild(box);
    return box;
  }

  function choose(names, chosen, onChange) {
    var box = say("Team ");
    var list = document.createElement("select");
    list.setAttribute("aria-label", "Team");
    names.forEach(function (name) {
      var option = document.createElement("option");
      option.value = option.textContent = name;
      option.selected = name === chosen;
      list.appendChild(option);
    });
    list.addEventListener("change", function () { onChange(list.value); });
    box.appendChild(list);
  }

  function start(handler) {
    return fetch("/ziggurat_teams.json")
      .then(function (answer) { return answer.json(); })
      .then(function (teams) {
        return visible(teams).then(function (names) {
          if (!names.length) {
            say("You belong to no team of this platform: its blueprint names you in none's `members`.");
            return;
          }
          var remembered = window.localStorage.getItem(KEY);
          var chosen = names.indexOf(remembered) < 0 ? names[0] : remembered;
          function show(name) {
            window.localStorage.setItem(KEY, name);
            handler.onNamespaceSelected(teams[name]);
          }
          choose(names, chosen, show);
          show(chosen);
        });
      });
  }

  window.centraldashboard = {
    CentralDashboardEventHandler: {
      init: function (callback) {
        var handler = {};
        callback(handler, false);
        window.zigguratTeams = start(handler);
      },
    },
  };
})();
