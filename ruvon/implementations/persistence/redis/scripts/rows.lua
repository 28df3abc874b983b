-- What both scripts share: where things are, and how they are found. ARGV[1] is the prefix of every key, `{name}:`.
local call = redis.call
local base = ARGV[1]

-- An instance's own number, as text of fixed width, so that equal scores are ordered by it; nil where there is none.
local function key_of(id)
  local found = call('ZRANGEBYLEX', base .. 'ids', '[' .. id .. ':', '(' .. id .. ';', 'LIMIT', 0, 1)[1]
  return found and string.sub(found, #id + 2)
end

-- Numbers as text: Lua would write large ones with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- The number of a stream's entry.
local function seq_of(entry)
  return string.match(entry[1], '^%d+')
end
