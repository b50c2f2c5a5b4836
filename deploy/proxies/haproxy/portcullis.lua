-- Asks Portcullis about each request: 200 passes it on with the caller's verified identity, anything else is the answer.

-- All of them, also where the answer's field is empty: what the caller sent is replaced in any case.
local IDENTITY = {
  "x-forwarded-user",
  "x-forwarded-user-id",
  "x-forwarded-email",
  "x-forwarded-name",
  "x-forwarded-groups",
  "x-forwarded-roles",
  "x-forwarded-teams",
  "x-forwarded-org",
  "x-forwarded-scopes",
  "x-forwarded-auth-method",
  "x-forwarded-client",
  "x-portcullis-assertion",
}

-- Of this connection only (RFC 9110, 7.6.1), and what is said of the body, which stays here.
local HOP = {
  ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["host"] = true, ["expect"] = true,
}

local function is_alias(name)
  local folded = name:gsub("[^a-z0-9]", "-")
  if folded == name then return false end
  for _, own in ipairs(IDENTITY) do
    if folded == own then return true end
  end
  return false
end

local function question(txn)
  local asked = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not HOP[name] and name:sub(1, 12) ~= "x-forwarded-" and name:sub(1, 11) ~= "x-original-" then
      asked[name] = values
    end
  end
  asked["x-forwarded-method"] = { [0] = txn.f:method() }
  asked["x-forwarded-proto"] = { [0] = txn.f:ssl_fc() == 1 and "https" or "http" }
  asked["x-forwarded-host"] = { [0] = txn.f:req_hdr("host") }
  asked["x-forwarded-uri"] = { [0] = txn.f:pathq() }
  asked["x-forwarded-for"] = { [0] = txn.f:src() }
  return asked
end

local function refuse(txn, answer)
  local reply = txn:reply({ status = answer.status, body = answer.body or "" })
  for name, values in pairs(answer.headers or {}) do
    if not HOP[name] then
      for _, value in pairs(values) do reply:add_header(name, value) end
    end
  end
  txn:done(reply)
end

core.register_action("portcullis", { "http-req" }, function(txn, address)
  local client = core.httpclient()
  local answer = client:get({ url = address, headers = question(txn), timeout = 10000 })
  if answer == nil or answer.status == nil or answer.status == 0 then
    txn:done(txn:reply({ status = 503 }))
    return
  end
  if answer.status ~= 200 or txn.f:pathq():find("^/%.well%-known/oauth%-protected%-resource") then
    refuse(txn, answer)
    return
  end
  for name in pairs(txn.http:req_get_headers()) do
    if is_alias(name) then txn.http:req_del_header(name) end
  end
  -- The caller's cookies without ours, which are nobody's business behind here.
  local cookies = answer.headers["cookie"]
  if cookies then txn.http:req_set_header("cookie", cookies[0]) else txn.http:req_del_header("cookie") end
  for _, name in ipairs(IDENTITY) do
    local values = answer.headers[name]
    txn.http:req_set_header(name, values and values[0] or "")
  end
end, 1)
