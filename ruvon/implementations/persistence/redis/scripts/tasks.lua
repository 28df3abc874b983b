-- Where tasks are. A task has one place among all of them, which is its member in every index: priority (the largest first),
-- moment and age, 48 digits that order tasks as they are to be claimed, then its name.
--   ta          all tasks, in that order
--   tw:QUEUE    pending, by moment; those whose moment was seen to have come are in tr:QUEUE instead, in the order
--   tv:QUEUE    those of the pending ones that are no steps, by moment: no limit holds them back
--   tl          claimed, by the end of the lease
--   tk          the concurrency keys of the steps that have one, by name
--   queues      those with pending tasks
--   tn          how many there are of each status and queue
local has_work = false

local function read_task(name)
  local row = base .. 'task:' .. name
  local found = call('HMGET', row, 'status', 'queue', 'place', 'available', 'lease', 'epoch', 'workflow', 'key', 'kind')
  return found[1] and { name = name, row = row, status = found[1], queue = found[2], place = found[3],
    available = found[4], lease = found[5], epoch = found[6], workflow = found[7], key = found[8], kind = found[9] }
end

local function count_task(task, by)
  local field = task.status .. '\n' .. task.queue
  local number = call('HINCRBY', base .. 'tn', field, by)
  if number == 0 then
    call('HDEL', base .. 'tn', field)
  end
  if task.status == 'pending' and number == 0 then
    call('SREM', base .. 'queues', task.queue)
  elseif task.status == 'pending' and number == by then
    call('SADD', base .. 'queues', task.queue)
  end
end

-- Out of, and into, the indexes of its status.
local function lift(task)
  if task.status == 'claimed' then
    call('ZREM', base .. 'tl', task.place)
  elseif task.status == 'pending' then
    if call('ZREM', base .. 'tr:' .. task.queue, task.place) == 0 then
      call('ZREM', base .. 'tw:' .. task.queue, task.place)
    end
    if task.kind ~= 'step' then
      call('ZREM', base .. 'tv:' .. task.queue, task.place)
    end
  end
  count_task(task, -1)
end

local function settle(task)
  if task.status == 'claimed' then
    call('ZADD', base .. 'tl', task.lease, task.place)
  elseif task.status == 'pending' then
    call('ZADD', base .. 'tw:' .. task.queue, task.available, task.place)
    if task.kind ~= 'step' then
      call('ZADD', base .. 'tv:' .. task.queue, task.available, task.place)
    end
    has_work = true
  end
  count_task(task, 1)
end

-- Another status, and where it is said another moment and another kind.
local function move_task(task, status, available, kind)
  lift(task)
  if kind and kind ~= task.kind then
    task.kind = kind
    call('HSET', task.row, 'kind', kind)
    if kind ~= 'step' then
      call('HDEL', base .. 'tk', task.name)
    end
  end
  if available and available ~= task.available then
    call('ZREM', base .. 'ta', task.place)
    task.available = available
    task.place = string.sub(task.place, 1, 17) .. available .. string.sub(task.place, 34)
    call('ZADD', base .. 'ta', 0, task.place)
    call('HSET', task.row, 'available', available, 'place', task.place)
  end
  task.status = status
  call('HSET', task.row, 'status', status)
  settle(task)
end

local function put_task(new)
  local payload, progress = take(new.payload), new.progress and take(new.progress)
  local known = read_task(new.id)
  if known then
    move_task(known, new.status, new.available, new.kind)
    call('HSET', known.row, 'attempt', new.attempt, 'payload', payload, 'crashes', new.crashes)
    if progress then
      call('HSET', known.row, 'progress', progress)
    else
      call('HDEL', known.row, 'progress')
    end
    return
  end
  local row, place_of = base .. 'task:' .. new.id, new.rank .. new.available .. next_number('task') .. new.id
  call('HSET', row, 'workflow', new.workflow, 'kind', new.kind, 'activation', new.activation, 'queue', new.queue,
    'available', new.available, 'priority', new.priority, 'attempt', new.attempt, 'status', new.status,
    'worker', new.worker or '', 'epoch', new.epoch, 'lease', new.lease, 'crashes', new.crashes, 'payload', payload,
    'place', place_of)
  if progress then
    call('HSET', row, 'progress', progress)
  end
  if new.key then
    call('HSET', row, 'key', new.key)
    if new.kind == 'step' then
      call('HSET', base .. 'tk', new.id, new.key)
    end
  end
  call('SADD', base .. 'wt:' .. new.workflow, new.id)
  call('ZADD', base .. 'ta', 0, place_of)
  settle(read_task(new.id))
end

local function finish_task(task)
  lift(task)
  call('ZREM', base .. 'ta', task.place)
  call('SREM', base .. 'wt:' .. task.workflow, task.name)
  call('DEL', task.row)
  if task.key then
    call('HDEL', base .. 'tk', task.name)
  end
end

local function remove_tasks(id)
  for _, name in ipairs(call('SMEMBERS', base .. 'wt:' .. id)) do
    finish_task(read_task(name))
  end
end
