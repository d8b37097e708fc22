-- What wrk sends, and how it tells what it measured. All of it comes from the environment:
--   BENCH_ADDRESSES  host:port, one for each thread
--   BENCH_METHOD, BENCH_PATH, BENCH_BODY, BENCH_TYPE (the content type)
-- A body may hold one %s: there goes a number of twelve digits, another one each time.

local addresses = {}
for address in os.getenv("BENCH_ADDRESSES"):gmatch("%S+") do
  addresses[#addresses + 1] = address
end

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("first", threads * 1e10)
  local host, port = addresses[(threads - 1) % #addresses + 1]:match("^(.*):(%d+)$")
  thread.addr = wrk.lookup(host, port)[1]
end

local body = os.getenv("BENCH_BODY")
local fixed
local counter = 0
function init()
  wrk.method = os.getenv("BENCH_METHOD")
  wrk.path = os.getenv("BENCH_PATH")
  if body ~= "" then wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE") end
  if not body:find("%%s") then fixed = wrk.format(nil, nil, nil, body ~= "" and body or nil) end
end

function request()
  if fixed then return fixed end
  counter = counter + 1
  return wrk.format(nil, nil, nil, (body:gsub("%%s", string.format("%012d", first + counter))))
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"us":%d,"bytes":%d,"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d,' ..
    '"failed":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency:percentile(99.9), latency.max,
    e.status, e.connect + e.read + e.write + e.timeout))
end
