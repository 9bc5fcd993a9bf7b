-- What the notebooks' door does to a request that may pass: it keeps the cookies of the login back, which whoever
-- owns a notebook could log in with as its visitor, and says which Service the path means.

local LOGIN = {
  "^__Host%-ziggurat", -- oauth2-proxy's
  -- Envoy Gateway's, each with a suffix
  "^AccessToken", "^IdToken", "^RefreshToken", "^BearerToken", "^Oauth", "^CodeVerifier",
}

local function of_the_login(cookie)
  for _, pattern in ipairs(LOGIN) do
    if string.find(cookie, pattern) then
      return true
    end
  end
  return false
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kept = {}
  for index = 0, headers:getNumValues("cookie") - 1 do
    for cookie in string.gmatch(headers:getAtIndex("cookie", index), "[^;]+") do
      cookie = string.gsub(cookie, "^%s+", "")
      if not of_the_login(cookie) then
        table.insert(kept, cookie)
      end
    end
  end
  headers:remove("cookie")
  if #kept > 0 then
    headers:add("cookie", table.concat(kept, "; "))
  end
  -- Its route has looked at the path already: nothing but these characters is in either name.
  local namespace, name = string.match(headers:get(":path"), "^/notebook/([a-z0-9%-]+)/([a-z0-9%-]+)")
  if name then
    local service = name .. "." .. namespace .. ".svc.cluster.local"
    handle:streamInfo():dynamicMetadata():set("ziggurat", "service", service)
  end
end
