-- Encrypting anew, after `write.lua`: bytes are replaced only where they still are what was read.

-- A stream's entries cannot be changed, so it is written anew with the same numbers; those that were changed or are gone
-- meanwhile stay as they are. How many entries were replaced.
local function reseal_stream(name, items)
  local wanted, replaced = {}, 0
  for _, item in ipairs(items) do
    wanted[item.name] = { take(item.old), take(item.new) }
  end
  local entries = call('XRANGE', name, '-', '+')
  for _, entry in ipairs(entries) do
    local pair = wanted[entry[1]]
    for at = 1, #entry[2], 2 do
      if pair and entry[2][at] == 'e' and entry[2][at + 1] == pair[1] then
        entry[2][at + 1] = pair[2]
        replaced = replaced + 1
      end
    end
  end
  if replaced > 0 then
    call('DEL', name)
    for _, entry in ipairs(entries) do
      call('XADD', name, entry[1], unpack(entry[2]))
    end
  end
  return replaced
end

function operations.reseal(made)
  local done = 0
  for _, hash in ipairs(made.hashes) do
    local row, values, same = base .. hash.key, {}, true
    for _, field in ipairs(hash.fields) do
      local old, new = take(field.old), take(field.new)
      same = same and call('HGET', row, field.name) == old
      values[#values + 1] = field.name
      values[#values + 1] = new
    end
    if same then
      call('HSET', row, unpack(values))
      done = done + 1
    end
  end
  for _, stream in ipairs(made.streams) do
    done = done + reseal_stream(base .. stream.key, stream.items)
  end
  return { OK, done }
end
