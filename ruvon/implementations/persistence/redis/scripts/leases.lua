-- Operations on holds and duties. A part of the script that writes.

-- --- holds and duties ------------------------------------------------------------------------------------------------

-- A key with a lease; its value is `token owner`. Where it is held by `rob`, which was found to be gone, it is taken over.
local function take_lease(name, made)
  local found = call('GET', base .. name)
  if found and found ~= made.rob and string.sub(found, 1, #made.token) ~= made.token then
    return found
  end
  call('SET', base .. name, made.token .. ' ' .. made.owner, 'PX', made.lease)
end

function operations.hold(made)
  if not key_of(made.id) then
    return { NOT_FOUND, made.id }
  end
  local held = take_lease('h:' .. made.id, made)
  if held then
    return { BUSY, held }
  end
  local before = call('HGET', base .. 'driven', made.id)
  call('HSET', base .. 'driven', made.id, made.token)
  return { OK, before and before ~= made.token and 1 or 0 }
end

function operations.duty(made)
  local held = take_lease('duty:' .. made.name, made)
  return held and { BUSY, held } or { OK }
end

function operations.renew(made)
  return take_lease(made.name, made) and { BUSY } or { OK }
end

function operations.release(made)
  local found = call('GET', base .. made.name)
  if found and string.sub(found, 1, #made.token) == made.token then
    call('DEL', base .. made.name)
    if made.id then
      call('HDEL', base .. 'driven', made.id)
    end
  end
  return { OK }
end
