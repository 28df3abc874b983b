-- Limits of queues; what they mean is said in `ruvon/providers/_limits.py`, and done here in the same way.
--   limits      hash: queue to JSON of concurrency, per_key, rate and period
--   starts      hash: queue to the starts of the last period, packed: { moment, how many }, oldest first
local EXACT, PARTS, OTHER_TIME_US = 64, 64, 3600000000

-- What runs of each queue that has limits: the claims of steps.
local function count_running(limits)
  local running = {}
  for queue in pairs(limits) do
    running[queue] = { total = 0, keys = {} }
  end
  for _, member in ipairs(call('ZRANGE', base .. 'tl', 0, -1)) do
    local row = call('HMGET', base .. 'task:' .. string.sub(member, 49), 'queue', 'kind', 'key')
    local counted = row[2] == 'step' and running[row[1]]
    if counted then
      counted.total = counted.total + 1
      if row[3] then
        counted.keys[row[3]] = (counted.keys[row[3]] or 0) + 1
      end
    end
  end
  return running
end

-- The moment of a start: by the server's clock, unless the caller simulates its time.
local function store_moment(now)
  local clock = call('TIME')
  local server = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
  now = tonumber(now)
  return math.abs(now - server) > OTHER_TIME_US and now or server
end

-- The limits of one queue, or of all.
local function read_limits(queue)
  local limits, found = {}, queue and { queue, call('HGET', base .. 'limits', queue) } or call('HGETALL', base .. 'limits')
  for place = 1, #found, 2 do
    if found[place + 1] then
      limits[found[place]] = cjson.decode(found[place + 1])
    end
  end
  return limits
end

-- The gates of the queues with these limits.
local function open_gates(limits, at)
  local gates, running = {}, count_running(limits)
  for queue, limit in pairs(limits) do
    local kept = call('HGET', base .. 'starts', queue)
    local gate = { queue = queue, limit = limit, at = at, running = running[queue].total, keys = running[queue].keys,
      starts = {}, started = 0 }
    for _, item in ipairs(kept and limit.rate and cmsgpack.unpack(kept) or {}) do
      local age = at - item[1]
      if age < limit.period and age >= -limit.period then
        gate.starts[#gate.starts + 1] = item
        gate.started = gate.started + item[2]
      end
    end
    gates[queue] = gate
  end
  return gates
end

-- So many more may begin, whatever their keys; nil: any number.
local function room_of(gate)
  local room
  if gate.limit.concurrency then
    room = math.max(gate.limit.concurrency - gate.running, 0)
  end
  if gate.limit.rate then
    room = math.max(math.min(room or gate.limit.rate, gate.limit.rate - gate.started), 0)
  end
  return room
end

local function admits(gate, kind, key)
  if kind ~= 'step' then
    return true
  end
  local is_full = key and gate.limit.per_key and (gate.keys[key] or 0) >= gate.limit.per_key
  return room_of(gate) ~= 0 and not is_full
end

local function count_start(gate, kind, key)
  if kind ~= 'step' then
    return
  end
  gate.running = gate.running + 1
  gate.started = gate.started + 1
  if key then
    gate.keys[key] = (gate.keys[key] or 0) + 1
  end
end

-- So long until the rate lets something begin again.
local function opens_in(gate)
  local rate = gate.limit.rate
  if rate and rate > 0 and gate.started >= rate then
    local first = gate.starts[1] and gate.starts[1][1] or gate.at
    return math.max(first + gate.limit.period - gate.at, 0)
  end
end

local function keep_start(gate, kind)
  if kind ~= 'step' or not gate.limit.rate then
    return
  end
  local starts = gate.starts
  local last = starts[#starts]
  local at = math.max(gate.at, last and last[1] or 0)
  local part = gate.limit.rate > EXACT and math.floor(gate.limit.period / PARTS) or 0
  if last and (at == last[1] or (part > 0 and math.floor(at / part) == math.floor(last[1] / part))) then
    starts[#starts] = { at, last[2] + 1 }
  else
    starts[#starts + 1] = { at, 1 }
  end
  call('HSET', base .. 'starts', gate.queue, cmsgpack.pack(starts))
end
