-- Operations on instances, messages, definitions, schedules and events, after `operation.lua` and `tasks.lua`.

-- Whether a list shows that this live instance has messages.
-- Whether messages lie there until an operator's retry leads the instance on.
local function keeps_messages(status)
  return status == 'FAILED' or status == 'FAILED_CHILD_WORKFLOW' or status == 'FAILED_WORKER_CRASH'
end

local function settle_unread(key, status)
  local newest = not keeps_messages(status) and call('XREVRANGE', base .. 'q:' .. key, '+', '-', 'COUNT', 1)[1]
  if newest then
    call('ZADD', base .. 'x:unread', seq_of(newest), key)
  else
    call('ZREM', base .. 'x:unread', key)
  end
end

local function settle_due(key, due)
  if due ~= '' then
    call('ZADD', base .. 'x:due', due, key)
  else
    call('ZREM', base .. 'x:due', key)
  end
end

-- --- instances -------------------------------------------------------------------------------------------------------

-- The answer where instances cannot be inserted; one that exists may stay as it is when it is `left_alone`.
local function refusal_of_new(created, left_alone)
  local taken = {}
  for _, new in each(created) do
    if key_of(new.id) then
      if not left_alone then
        return { STALE, new.id }
      end
    elseif new.idem then
      local holder = call('HGET', base .. 'idem', new.idem)
      if holder then
        return { DUPLICATE, new.idem, call('HGET', base .. 'i:' .. holder, 'id') }
      elseif taken[new.idem] then
        return { DUPLICATE, new.idem, taken[new.idem] }
      end
      taken[new.idem] = new.id
    end
  end
end

local function insert(new)
  local fixed, now, snapshot = take(new.fixed), take(new.now), take(new.snapshot)
  local known = key_of(new.id)
  if known then
    return known
  end
  local key = next_number('instance')
  call('HSET', base .. 'i:' .. key, 'id', new.id, 'type', new.type, 'parent', new.parent or '', 'status', new.status,
    'ended', new.ended, 'revision', new.revision, 'due', new.due, 'digest', new.digest, 'version', new.version,
    'created', new.created, 'snap', new.snap, 'first', new.first, 'marks', cmsgpack.pack(new.marks),
    'idem', new.idem or '', 'fixed', fixed, 'now', now)
  call('HSET', base .. 's:' .. key, new.snap, snapshot)
  call('ZADD', base .. 'ids', 0, new.id .. ':' .. key)
  for _, mark in ipairs(new.marks) do
    call('ZADD', base .. 'x:' .. mark, new.created, key)
  end
  call('ZADD', base .. 'x:status:' .. new.status, new.created, key)
  call('ZADD', base .. 'x:digest:' .. new.digest, new.created, key)
  if new.due ~= '' then
    call('ZADD', base .. 'x:due', new.due, key)
  end
  if new.ended == '1' then
    call('ZADD', base .. 'x:ended', new.updated, key)
    call('HINCRBY', base .. 'ended', new.digest, 1)
  end
  if new.idem then
    call('HSET', base .. 'idem', new.idem, key)
  end
  return key
end

local function insert_all(created)
  local keys = {}
  for place_of, new in each(created) do
    keys[place_of] = insert(new)
  end
  return keys
end

-- What is kept beside an instance or a dictionary of this name.
local function remove_beside(id)
  remove_tasks(id)
  for _, number in ipairs(call('LRANGE', base .. 'ml:' .. id, 0, -1)) do
    call('XDEL', base .. 'metrics', number)
  end
  call('DEL', base .. 'ml:' .. id, base .. 'lines:' .. id, base .. 'beat:' .. id)
  call('ZREM', base .. 'beats', id)
end

local function remove(key)
  local row = base .. 'i:' .. key
  local found = call('HMGET', row, 'id', 'status', 'ended', 'digest', 'marks', 'idem')
  for _, mark in ipairs(cmsgpack.unpack(found[5])) do
    call('ZREM', base .. 'x:' .. mark, key)
  end
  call('ZREM', base .. 'x:status:' .. found[2], key)
  call('ZREM', base .. 'x:digest:' .. found[4], key)
  for _, index in ipairs({ 'due', 'unread', 'ended' }) do
    call('ZREM', base .. 'x:' .. index, key)
  end
  if found[3] == '1' then
    call('HINCRBY', base .. 'ended', found[4], -1)
  end
  if found[6] ~= '' then
    call('HDEL', base .. 'idem', found[6])
  end
  call('ZREM', base .. 'ids', found[1] .. ':' .. key)
  call('HDEL', base .. 'driven', found[1])
  call('DEL', row, base .. 'l:' .. key, base .. 's:' .. key, base .. 'q:' .. key, base .. 'seen:' .. key)
  remove_beside(found[1])
end

-- Whether anything further up the line of parents has not ended: then a child may still have to be undone.
local function has_live_line(key)
  local parent = call('HGET', base .. 'i:' .. key, 'parent')
  for _ = 1, 1000 do
    local above = parent and parent ~= '' and key_of(parent)
    if not above then
      return false
    end
    local found = call('HMGET', base .. 'i:' .. above, 'ended', 'parent')
    if found[1] ~= '1' then
      return true
    end
    parent = found[2]
  end
  return true
end

-- --- what a transition writes beside its row -------------------------------------------------------------------------

local function define(record)
  local bytes = take(record.text)
  local row = base .. 'def:' .. record.digest
  if call('EXISTS', row) == 0 then
    call('HSET', row, 'type', record.type, 'version', record.version, 'stored', record.stored, 'text', bytes)
    call('ZADD', base .. 'defs', record.stored, next_number('definition') .. record.digest)
  end
end

-- Append a message to the instance with this key; its number, or nil where its `dedup` key was there already.
local function append(key, entry, bytes)
  if entry.dedup and call('SADD', base .. 'seen:' .. key, entry.dedup) == 0 then
    return nil
  end
  local seq = text(call('INCR', base .. 'n:inbox'))
  call('XADD', base .. 'q:' .. key, seq .. '-0', 'e', bytes)
  if not keeps_messages(call('HGET', base .. 'i:' .. key, 'status')) then
    call('ZADD', base .. 'x:unread', seq, key)
  end
  if not told[entry.id] then
    told[entry.id] = true
    told_names[#told_names + 1] = entry.id
  end
  return seq
end

local function consume(key, seqs, status)
  local inbox = base .. 'q:' .. key
  for _, seq in ipairs(seqs) do
    call('XDEL', inbox, seq .. '-0')
  end
  if call('XLEN', inbox) == 0 then
    call('DEL', inbox)
  end
  settle_unread(key, status)
end

local function write_schedule(wanted)
  local name = wanted.name
  call('HSET', base .. 'sch:' .. name, 'revision', wanted.revision, 'record', take(wanted.record))
  call('ZADD', base .. 'plan:names', 0, name)
  if not wanted.paused and wanted.next then
    call('ZADD', base .. 'plan:due', wanted.next, name)
  else
    call('ZREM', base .. 'plan:due', name)
  end
  call(not wanted.paused and wanted.buffered and 'SADD' or 'SREM', base .. 'plan:waiting', name)
end

-- Whether a schedule that was prepared over what the store had is too late.
local function is_outdated(schedules)
  for _, wanted in each(schedules) do
    if (call('HGET', base .. 'sch:' .. wanted.name, 'revision') or '0') ~= wanted.known then
      return true
    end
  end
  return false
end

-- Entries and snapshots before a number go, except those of a saga, the newest entry and what loading needs.
local function forget(key, before, newest)
  local log, kept = base .. 'l:' .. key, base .. 's:' .. key
  local last = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local first = math.min(before, newest + 1, last and tonumber(seq_of(last)) or 0)
  if first > 1 then
    for _, entry in ipairs(call('XRANGE', log, '-', text(first - 1) .. '-0')) do
      if #entry[2] == 2 then
        call('XDEL', log, entry[1])
      end
    end
    call('HSET', base .. 'i:' .. key, 'first', text(first))
  end
  for _, seq in ipairs(call('HKEYS', kept)) do
    if tonumber(seq) < math.min(before, newest) then
      call('HDEL', kept, seq)
    end
  end
end

-- --- the row itself --------------------------------------------------------------------------------------------------

local function advance_row(made, old)
  local key, row = made.key, base .. 'i:' .. made.key
  if made.drop then
    call('DEL', base .. 'l:' .. key, base .. 's:' .. key)
    call('HSET', row, 'first', made.first)
  end
  for _, entry in each(made.entries) do
    if entry.saga then
      call('XADD', base .. 'l:' .. key, entry.seq .. '-0', 'e', take(entry.size), 'g', '1')
    else
      call('XADD', base .. 'l:' .. key, entry.seq .. '-0', 'e', take(entry.size))
    end
  end
  call('HSET', row, 'revision', made.revision, 'now', take(made.now))
  if made.snapshot then
    call('HSET', base .. 's:' .. key, made.last, take(made.snapshot))
    call('HSET', row, 'snap', made.last)
  end
  if made.due ~= old.due then
    call('HSET', row, 'due', made.due)
    settle_due(key, made.due)
  end
end

-- The indexes that follow status and definition.
local function move(made, old)
  local key, row = made.key, base .. 'i:' .. made.key
  local digest = made.digest or old.digest
  if made.status ~= old.status then
    call('HSET', row, 'status', made.status, 'ended', made.ended)
    call('ZREM', base .. 'x:status:' .. old.status, key)
    call('ZADD', base .. 'x:status:' .. made.status, old.created, key)
  end
  if digest ~= old.digest then
    call('HSET', row, 'digest', digest)
    call('ZREM', base .. 'x:digest:' .. old.digest, key)
    call('ZADD', base .. 'x:digest:' .. digest, old.created, key)
  end
  if made.version then
    call('HSET', row, 'version', made.version)
  end
  if old.ended == '1' and (made.ended ~= '1' or digest ~= old.digest) then
    call('HINCRBY', base .. 'ended', old.digest, -1)
  end
  if made.ended == '1' then
    call('ZADD', base .. 'x:ended', made.updated, key)
    if old.ended ~= '1' or digest ~= old.digest then
      call('HINCRBY', base .. 'ended', digest, 1)
    end
  elseif old.ended == '1' then
    call('ZREM', base .. 'x:ended', key)
  end
  if keeps_messages(made.status) ~= keeps_messages(old.status) then
    settle_unread(key, made.status)
  end
end

local function write_beside(made)
  for _, task in each(made.tasks) do
    put_task(task)
  end
  for _, name in each(made.done) do
    local task = read_task(name)
    if task then
      finish_task(task)
    end
  end
  for _, size in each(made.outbox) do
    call('XADD', base .. 'outbox', text(call('INCR', base .. 'n:event')) .. '-0', 'e', take(size))
  end
  for _, wanted in each(made.schedules) do
    write_schedule(wanted)
  end
  for _, entry in each(made.sent) do
    local bytes, target = take(entry.size), key_of(entry.id)
    if target then
      append(target, entry, bytes)
    end
  end
end

local operations = {}

function operations.commit(made)
  local old
  if made.key then
    local row = call('HMGET', base .. 'i:' .. made.key, 'id', 'revision', 'status', 'ended', 'due', 'digest', 'created',
      'snap')
    if row[1] ~= made.id then
      return { NOT_FOUND, made.id }
    elseif row[2] ~= made.expected then
      return { STALE, made.id }
    end
    old = { status = row[3], ended = row[4], due = row[5], digest = row[6], created = row[7], snap = row[8] }
  end
  local refused = refusal_of_new(made.created, made.key)
  if refused then
    return refused
  elseif is_outdated(made.schedules) then
    return { AGAIN }
  end
  if old then
    advance_row(made, old)
    if made.status ~= old.status or made.ended == '1' or made.digest then
      move(made, old)
    end
    if made.forget then
      forget(made.key, made.forget, tonumber(made.snapshot and made.last or old.snap))
    end
    if made.consumed then
      consume(made.key, made.consumed, made.status)
    end
  end
  for _, record in each(made.definitions) do
    define(record)
  end
  local keys = insert_all(made.created)
  write_beside(made)
  return { OK, keys }
end

function operations.advance(made)
  local wanted = made.schedule
  local known = call('HGET', base .. 'sch:' .. wanted.name, 'revision')
  if not known then
    return { NO_SCHEDULE }
  elseif known ~= wanted.known then
    return { STALE_SCHEDULE }
  end
  local refused = refusal_of_new(made.created, true)
  if refused then
    return refused
  end
  write_schedule(wanted)
  for _, record in each(made.definitions) do
    define(record)
  end
  return { OK, insert_all(made.created) }
end

function operations.append(entry)
  local key = key_of(entry.id)
  if not key then
    return { NOT_FOUND, entry.id }
  end
  return { OK, append(key, entry, take(entry.size)) or false }
end

function operations.define(record)
  define(record)
  return { OK }
end

function operations.schedule(made)
  if is_outdated({ made.schedule }) then
    return { AGAIN }
  end
  write_schedule(made.schedule)
  return { OK }
end

function operations.unschedule(made)
  call('ZREM', base .. 'plan:names', made.name)
  call('ZREM', base .. 'plan:due', made.name)
  call('SREM', base .. 'plan:waiting', made.name)
  return { OK, call('DEL', base .. 'sch:' .. made.name) }
end

function operations.delivered(made)
  for _, id in ipairs(made.ids) do
    call('XDEL', base .. 'outbox', id .. '-0')
  end
  return { OK }
end

function operations.delete(made)
  local key = key_of(made.id)
  if key then
    remove(key)
  else
    remove_beside(made.id)
  end
  call('ZREM', base .. 'docs', made.id)
  local gone = call('DEL', base .. 'doc:' .. made.id)
  return { OK, (key or gone > 0) and 1 or 0 }
end

-- A portion of the ended instances, oldest change first: how many went, how many stay, how many were looked at.
function operations.purge(made)
  local found = call('ZRANGEBYSCORE', base .. 'x:ended', '-inf', '(' .. made.before, 'LIMIT', made.offset, made.portion)
  local gone, kept = 0, 0
  for _, key in ipairs(found) do
    if gone < made.limit then
      local fits = not made.type or call('HGET', base .. 'i:' .. key, 'type') == made.type
      if fits and not has_live_line(key) then
        remove(key)
        gone = gone + 1
      else
        kept = kept + 1
      end
    end
  end
  return { OK, gone, kept, #found }
end
