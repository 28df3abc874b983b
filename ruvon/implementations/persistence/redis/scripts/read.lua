-- One question. ARGV[2] names it, and what it needs follows. Questions about many instances are answered in portions, so
-- that the server is never kept busy for long.
local questions = {}
local FIELDS = { 'id', 'status', 'revision', 'digest', 'version', 'due', 'snap', 'fixed', 'now' }

local function row_of(key)
  return call('HMGET', base .. 'i:' .. key, unpack(FIELDS))
end

local function loaded(key)
  local row = row_of(key)
  row[#row + 1] = call('HGET', base .. 's:' .. key, row[7])
  return { key, row }
end

function questions.load(id)
  local key = key_of(id)
  return key and loaded(key)
end

function questions.by_idempotency_key(name)
  local key = call('HGET', base .. 'idem', name)
  return key and loaded(key)
end

-- Log entries after a number; only those of a saga, and no more than `limit`, where that is said.
function questions.log(id, after, limit, saga)
  local key, found = key_of(id), {}
  if not key then
    return found
  end
  local from = text(tonumber(after) + 1) .. '-0'
  if saga == '' then
    return limit == '' and call('XRANGE', base .. 'l:' .. key, from, '+')
      or call('XRANGE', base .. 'l:' .. key, from, '+', 'COUNT', limit)
  end
  for _, entry in ipairs(call('XRANGE', base .. 'l:' .. key, from, '+')) do
    if #entry[2] > 2 and (limit == '' or #found < tonumber(limit)) then
      found[#found + 1] = entry
    end
  end
  return found
end

-- The newest state as of an entry or earlier: its number and bytes; an empty answer where none that old is kept.
function questions.snapshot(id, at)
  local key, best = key_of(id), -1
  if not key then
    return false
  end
  for _, seq in ipairs(call('HKEYS', base .. 's:' .. key)) do
    local number = tonumber(seq)
    if number <= tonumber(at) and number > best then
      best = number
    end
  end
  return best < 0 and {} or { text(best), call('HGET', base .. 's:' .. key, text(best)) }
end

function questions.inbox(id, after)
  local key = key_of(id)
  return key and call('XRANGE', base .. 'q:' .. key, text(tonumber(after) + 1) .. '-0', '+') or {}
end

function questions.definition(digest)
  return call('HMGET', base .. 'def:' .. digest, 'type', 'version', 'stored', 'text')
end

function questions.definitions(workflow_type)
  local found = {}
  for _, member in ipairs(call('ZRANGE', base .. 'defs', 0, -1)) do
    local digest = string.sub(member, 16)
    local row = questions.definition(digest)
    if workflow_type == '' or row[1] == workflow_type then
      found[#found + 1] = { digest, row }
    end
  end
  return found
end

-- Every definition that has instances: digest, type, version, how many, how many of them have ended.
function questions.counts(workflow_type)
  local found = {}
  for _, item in ipairs(questions.definitions(workflow_type)) do
    local digest, row = item[1], item[2]
    local all = call('ZCARD', base .. 'x:digest:' .. digest)
    if all > 0 then
      found[#found + 1] = { digest, row[1], row[2], all, call('HGET', base .. 'ended', digest) or '0' }
    end
  end
  return found
end

-- --- finding instances -----------------------------------------------------------------------------------------------

function questions.sizes(...)
  local found = {}
  for number, index in ipairs({ ... }) do
    found[number] = call('ZCARD', base .. 'x:' .. index)
  end
  return found
end

-- Those of some instances that somebody holds.
function questions.held(...)
  local found = {}
  for _, id in ipairs({ ... }) do
    if call('EXISTS', base .. 'h:' .. id) == 1 then
      found[#found + 1] = id
    end
  end
  return found
end

-- The rank, newest first, of the first one behind (score, member): a search in halves among those of one moment.
local function rank_behind(index, score, member)
  local low = call('ZCOUNT', index, '(' .. score, '+inf')
  local high = low + call('ZCOUNT', index, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if call('ZREVRANGE', index, middle, middle)[1] >= member then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function fits(key, wanted)
  for _, index in ipairs(wanted.indexes) do
    if not call('ZSCORE', base .. 'x:' .. index, key) then
      return false
    end
  end
  if not (wanted.statuses or wanted.version or wanted.step or wanted.updated_before or wanted.updated_from) then
    return true
  end
  local row = call('HMGET', base .. 'i:' .. key, 'status', 'version', 'now')
  if wanted.statuses and not wanted.statuses[row[1]] then
    return false
  elseif wanted.version and row[2] ~= wanted.version then
    return false
  elseif not (wanted.step or wanted.updated_before or wanted.updated_from) then
    return true
  end
  local now = cjson.decode(string.sub(row[3], 1, string.find(row[3], '\n', 1, true) - 1))
  return (not wanted.step or now[2] == wanted.step)
    and (not wanted.updated_before or now[3] < wanted.updated_before)
    and (not wanted.updated_from or now[3] >= wanted.updated_from)
end

-- Walk an index, newest first, up to `limit` that fit or `budget` looked at. Gives how many fit, their rows, and where
-- to go on, or nothing where the end was reached.
function questions.find(given)
  local wanted = cjson.decode(given)
  local index = base .. 'x:' .. wanted.driver
  local rank = wanted.before and call('ZCOUNT', index, wanted.before, '+inf') or 0
  if wanted.after then
    rank = math.max(rank, rank_behind(index, wanted.after[1], wanted.after[2]))
  end
  local rows, count, seen, last = {}, 0, 0, nil
  while seen < wanted.budget do
    local chunk = call('ZREVRANGE', index, rank, rank + 199, 'WITHSCORES')
    for place = 1, #chunk, 2 do
      if wanted.from and tonumber(chunk[place + 1]) < tonumber(wanted.from) then
        return { count, rows }
      end
      last, seen = { chunk[place + 1], chunk[place] }, seen + 1
      if fits(chunk[place], wanted) then
        count = count + 1
        if wanted.limit then
          rows[count] = { chunk[place], row_of(chunk[place]) }
          if count == wanted.limit then
            return { count, rows }
          end
        end
      end
    end
    if #chunk < 400 then
      return { count, rows }
    end
    rank = rank + 200
  end
  return { count, rows, last[1], last[2] }
end

-- Ended instances by their last change, oldest first, behind (moment, key).
function questions.ended(moment, key, limit)
  local rows, offset = {}, 0
  while #rows < tonumber(limit) do
    local chunk = call('ZRANGEBYSCORE', base .. 'x:ended', moment, '+inf', 'WITHSCORES', 'LIMIT', offset, 200)
    for place = 1, #chunk, 2 do
      local is_new = tonumber(chunk[place + 1]) > tonumber(moment) or chunk[place] > key
      if is_new and #rows < tonumber(limit) then
        rows[#rows + 1] = { chunk[place], row_of(chunk[place]) }
      end
    end
    if #chunk < 400 then
      break
    end
    offset = offset + 200
  end
  return rows
end

function questions.due(now, limit)
  local found = call('ZRANGEBYSCORE', base .. 'x:due', '-inf', now, 'LIMIT', 0, limit)
  for number, key in ipairs(found) do
    found[number] = call('HGET', base .. 'i:' .. key, 'id')
  end
  return found
end

function questions.unread(after, limit)
  local found = call('ZRANGEBYSCORE', base .. 'x:unread', '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
  for place = 1, #found, 2 do
    found[place] = call('HGET', base .. 'i:' .. found[place], 'id')
  end
  return found
end

function questions.ids_like(prefix)
  return call('ZRANGEBYLEX', base .. 'ids', '[' .. prefix, '(' .. prefix .. '~', 'LIMIT', 0, 1000)
end

-- --- schedules, events, tasks ----------------------------------------------------------------------------------------

function questions.schedule(name)
  return call('HMGET', base .. 'sch:' .. name, 'revision', 'record')
end

local function schedules_of(names)
  local found = {}
  for number, name in ipairs(names) do
    found[number] = questions.schedule(name)
  end
  return found
end

function questions.schedules()
  return schedules_of(call('ZRANGE', base .. 'plan:names', 0, -1))
end

-- Those whose moment has come, earliest first, and all that have a run waiting; one may be among both.
function questions.due_schedules(now, limit)
  return { schedules_of(call('ZRANGEBYSCORE', base .. 'plan:due', '-inf', now, 'LIMIT', 0, limit)),
    schedules_of(call('SMEMBERS', base .. 'plan:waiting')) }
end

function questions.outbox(after, limit)
  return call('XRANGE', base .. 'outbox', text(tonumber(after) + 1) .. '-0', '+', 'COUNT', limit)
end

function questions.task(name)
  return call('HGETALL', base .. 'task:' .. name)
end

local function named_task(member)
  local name = string.sub(member, 49)
  return { name, questions.task(name) }
end

local function queues_of(...)
  return select('#', ...) > 0 and { ... } or call('SMEMBERS', base .. 'queues')
end

function questions.has_due(now, ...)
  for _, queue in ipairs(queues_of(...)) do
    if call('EXISTS', base .. 'tr:' .. queue) == 1
      or call('ZRANGEBYSCORE', base .. 'tw:' .. queue, '-inf', now, 'LIMIT', 0, 1)[1] then
      return 1
    end
  end
  return 0
end

-- Every queue with limits: its name, they, its starts, and what runs of each key, where no key is the empty text.
function questions.limits()
  local limits, found = read_limits(), {}
  local running = count_running(limits)
  for queue in pairs(limits) do
    local keys, starts = { '', text(running[queue].total) }, call('HGET', base .. 'starts', queue)
    for key, number in pairs(running[queue].keys) do
      keys[#keys + 1] = key
      keys[#keys + 1] = text(number)
    end
    local moments = {}
    for _, item in ipairs(starts and cmsgpack.unpack(starts) or {}) do
      moments[#moments + 1] = text(item[1])
      moments[#moments + 1] = text(item[2])
    end
    found[#found + 1] = { queue, call('HGET', base .. 'limits', queue), moments, keys }
  end
  return found
end

-- The earliest end of a lease, or moment of a pending task behind `looked`: those before it were passed over.
function questions.next_behind(looked, ...)
  local best, leased = nil, call('ZRANGE', base .. 'tl', 0, 0)[1]
  if leased then
    best = tonumber(call('HGET', base .. 'task:' .. string.sub(leased, 49), 'lease'))
  end
  for _, queue in ipairs(queues_of(...)) do
    local first = call('ZRANGEBYSCORE', base .. 'tw:' .. queue, '(' .. looked, '+inf', 'LIMIT', 0, 1)[1]
    if first then
      local moment = tonumber(string.sub(first, 18, 33))
      best = math.min(best or moment, moment)
    end
  end
  return best and text(best)
end

-- The earliest moment of a pending task, or end of a lease; among tasks that were due before, that of the first in order.
function questions.next_task(...)
  local firsts, leased = {}, call('ZRANGE', base .. 'tl', 0, 0)[1]
  if leased then
    firsts[1] = call('HGET', base .. 'task:' .. string.sub(leased, 49), 'lease')
  end
  for _, queue in ipairs(queues_of(...)) do
    for _, index in ipairs({ 'tr:', 'tw:' }) do
      local first = call('ZRANGE', base .. index .. queue, 0, 0)[1]
      firsts[#firsts + 1] = first and string.sub(first, 18, 33)
    end
  end
  local best
  for _, moment in ipairs(firsts) do
    best = math.min(best or tonumber(moment), tonumber(moment))
  end
  return best and text(best)
end

function questions.expired_tasks(now, limit)
  local found = call('ZRANGEBYSCORE', base .. 'tl', '-inf', now, 'LIMIT', 0, limit)
  for number, member in ipairs(found) do
    found[number] = named_task(member)
  end
  return found
end

local function is_wanted(member, wanted)
  local row = call('HMGET', base .. 'task:' .. string.sub(member, 49), 'status', 'queue', 'workflow', 'worker')
  return (not wanted.statuses or wanted.statuses[row[1]]) and (not wanted.queue or wanted.queue == row[2])
    and (not wanted.workflow or wanted.workflow == row[3]) and (not wanted.worker or wanted.worker == row[4])
end

-- Those that fit, in the order in which they are claimed, and where to go on, or nothing where the end was reached. Leases
-- that run out before a moment are few enough to be looked at at once.
function questions.tasks(after, given)
  local wanted, found, seen = cjson.decode(given), {}, nil
  if wanted.lease_before then
    seen = call('ZRANGEBYSCORE', base .. 'tl', '-inf', '(' .. wanted.lease_before)
    table.sort(seen)
  else
    seen = call('ZRANGEBYLEX', base .. 'ta', after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, 1000)
  end
  for _, member in ipairs(seen) do
    if member > after and is_wanted(member, wanted) then
      found[#found + 1] = named_task(member)
      if #found == wanted.limit then
        return { found, false }
      end
    end
  end
  return { found, not wanted.lease_before and #seen == 1000 and seen[1000] }
end

function questions.task_counts()
  return call('HGETALL', base .. 'tn')
end

function questions.workers()
  return call('HGETALL', base .. 'workers')
end

-- --- what applications keep beside -----------------------------------------------------------------------------------

function questions.document(id)
  return call('HGET', base .. 'doc:' .. id, 'data')
end

-- Stored dictionaries from a rank on, newest first.
function questions.documents(rank, count)
  local found = call('ZREVRANGE', base .. 'docs', rank, rank + count - 1)
  for number, id in ipairs(found) do
    found[number] = { id, call('HMGET', base .. 'doc:' .. id, 'labels', 'created', 'updated') }
  end
  return found
end

-- The newest entries that fit, newest first, from below an entry on: looks at no more than a thousand.
local function newest(stream, before, field, value)
  local found, seen = {}, call('XREVRANGE', stream, before, '-', 'COUNT', 1000)
  for _, entry in ipairs(seen) do
    if value == '' or entry[2][4] == value then
      found[#found + 1] = entry
    end
  end
  return { found, #seen == 1000 and seen[1000][1] or false }
end

function questions.lines(id, before, level)
  return newest(base .. 'lines:' .. id, before, 'v', level)
end

function questions.metrics(before, name)
  return newest(base .. 'metrics', before, 'm', name)
end

-- The same for one workflow, from a place in the list of its own.
function questions.metrics_of(id, place, name)
  local found, numbers = {}, call('LRANGE', base .. 'ml:' .. id, -place - 1000, -place - 1)
  for number = #numbers, 1, -1 do
    local entry = call('XRANGE', base .. 'metrics', numbers[number], numbers[number])[1]
    if entry and (name == '' or entry[2][4] == name) then
      found[#found + 1] = entry
    end
  end
  return { found, #numbers == 1000 and place + 1000 or false }
end

function questions.beats(before)
  local found = call('ZRANGEBYSCORE', base .. 'beats', '-inf', '(' .. before)
  for number, id in ipairs(found) do
    found[number] = { id, call('HMGET', base .. 'beat:' .. id, 'worker', 'step', 'started', 'now', 'metadata') }
  end
  return found
end

-- --- operators -------------------------------------------------------------------------------------------------------

function questions.totals()
  return { call('ZCARD', base .. 'x:all'), call('ZCARD', base .. 'defs'), call('ZCARD', base .. 'ta'),
    call('XLEN', base .. 'outbox') }
end

-- Log entries and messages of a portion of all instances, and how many instances it has.
function questions.portion(rank, count)
  local found = call('ZRANGE', base .. 'x:all', rank, rank + count - 1)
  local entries, messages = 0, 0
  for _, key in ipairs(found) do
    entries = entries + call('XLEN', base .. 'l:' .. key)
    messages = messages + call('XLEN', base .. 'q:' .. key)
  end
  return { #found, entries, messages }
end

-- What is wrong with a portion of all instances.
function questions.check(rank, count)
  local found, wrong = call('ZRANGE', base .. 'x:all', rank, rank + count - 1), {}
  for _, key in ipairs(found) do
    local row = call('HMGET', base .. 'i:' .. key, 'id', 'digest', 'snap', 'first', 'now')
    local function tell(problem, detail)
      wrong[#wrong + 1] = { problem, row[1] or '', detail }
    end
    if not row[1] then
      tell('a list names an instance that is not stored', key)
    else
      local now = cjson.decode(string.sub(row[5], 1, string.find(row[5], '\n', 1, true) - 1))
      local last = now[4]
      if call('EXISTS', base .. 'def:' .. row[2]) == 0 then
        tell('its definition is not stored', row[2])
      end
      if call('HEXISTS', base .. 's:' .. key, row[3]) == 0 or tonumber(row[3]) > last then
        tell('its state is not stored', 'snapshot')
      end
      local wanted = tonumber(row[4])
      for _, entry in ipairs(call('XRANGE', base .. 'l:' .. key, row[4] .. '-0', '+')) do
        local seq = tonumber(seq_of(entry))
        if seq ~= wanted then
          tell('a log entry before this one is missing', 'entry ' .. text(seq))
        end
        wanted = seq + 1
      end
      if wanted <= last then
        tell('its newest log entry is missing', 'entry ' .. text(last))
      end
    end
  end
  return { #found, wrong }
end

return questions[ARGV[2]](unpack(ARGV, 3)) or false
