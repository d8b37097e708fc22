-- What wrk sends, and how it tells what it measured. All of it comes from the environment:
--   BENCH_ADDRESSES  host:port, one for each thread
--   BENCH_METHOD, BENCH_PATH, BENCH_BODY, BENCH_TYPE (the content type)
--   BENCH_FIRST, BENCH_STRIDE  where the numbers of the first thread begin, and how far on those of the next; for
--     one run by hand, the defaults do
--   BENCH_OBJECTS  0 if it is not there
-- A body may hold one %s: there goes a number of twelve digits, another one each time. A path may hold one %d:
-- there go the numbers from 1 to BENCH_OBJECTS in turn.

local addresses = {}
for address in os.getenv("BENCH_ADDRESSES"):gmatch("%S+") do
  addresses[#addresses + 1] = address
end

local threads = 0
function setup(thread)
  local stride = os.getenv("BENCH_STRIDE") or 1e8
  thread:set("first", (os.getenv("BENCH_FIRST") or 1e9) + math.floor(threads * stride))
  threads = threads + 1
  local host, port = addresses[(threads - 1) % #addresses + 1]:match("^(.*):(%d+)$")
  thread.addr = wrk.lookup(host, port)[1]
end

local body = os.getenv("BENCH_BODY")
local path = os.getenv("BENCH_PATH")
local objects = tonumber(os.getenv("BENCH_OBJECTS") or 0)
local fixed
local counter = 0
function init()
  wrk.method = os.getenv("BENCH_METHOD")
  wrk.path = path
  if body ~= "" then wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE") end
  if not body:find("%%s") and not path:find("%%d") then
    fixed = wrk.format(nil, nil, nil, body ~= "" and body or nil)
  end
end

function request()
  if fixed then return fixed end
  counter = counter + 1
  -- Threads begin at different objects, because their first numbers differ.
  local one = objects > 0 and path:gsub("%%d", (first + counter) % objects + 1) or nil
  return wrk.format(nil, one, nil, (body:gsub("%%s", string.format("%012d", first + counter))))
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
