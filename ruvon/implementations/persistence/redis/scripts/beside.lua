-- Operations on what applications keep beside their workflows, after `write.lua`.

function operations.document(made)
  local row = base .. 'doc:' .. made.id
  if call('EXISTS', row) == 0 then
    call('HSET', row, 'created', made.now)
    call('ZADD', base .. 'docs', made.now, made.id)
  end
  call('HSET', row, 'data', take(made.data), 'labels', take(made.labels), 'updated', made.now)
  return { OK }
end

function operations.line(made)
  call('XADD', base .. 'lines:' .. made.id, text(call('INCR', base .. 'n:line')) .. '-0', 'e', take(made.size), 'v',
    made.level)
  return { OK }
end

function operations.metric(made)
  local number = text(call('INCR', base .. 'n:metric')) .. '-0'
  call('XADD', base .. 'metrics', number, 'e', take(made.size), 'm', made.name)
  call('RPUSH', base .. 'ml:' .. made.id, number)
  return { OK }
end

function operations.beat(made)
  local row = base .. 'beat:' .. made.id
  local old = call('HMGET', row, 'worker', 'step')
  if old[1] ~= made.worker or old[2] ~= made.step then
    call('HSET', row, 'worker', made.worker, 'step', made.step, 'started', made.now)
  end
  call('HSET', row, 'now', made.now, 'metadata', take(made.metadata))
  call('ZADD', base .. 'beats', made.now, made.id)
  return { OK }
end

function operations.silence(made)
  if call('HGET', base .. 'beat:' .. made.id, 'worker') == made.worker then
    call('DEL', base .. 'beat:' .. made.id)
    call('ZREM', base .. 'beats', made.id)
  end
  return { OK }
end
