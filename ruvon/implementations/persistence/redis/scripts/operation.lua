-- One batch of operations, each of which stands alone: all of its checks come before its first write, so one that is
-- refused leaves no trace, and its neighbours go on. An operation is a line of JSON and the bytes that it names by their
-- lengths. The answers are kept under the writer's name: the same batch sent again, because the connection was lost
-- before the answer, changes nothing and is answered as the first time.
local OK, STALE, NOT_FOUND, DUPLICATE, BUSY, AGAIN, NO_SCHEDULE, STALE_SCHEDULE, FAILED = 0, 1, 2, 3, 4, 5, 6, 7, 9
local RECEIPT_MS = 600000
local body, place = '', 1
local told, told_names = {}, {}

-- The next bytes of the operation; a negative length stands for nothing.
local function take(length)
  if length < 0 then
    return nil
  end
  place = place + length
  return string.sub(body, place - length, place - 1)
end

local function each(list)
  return ipairs(list or {})
end

local function next_number(what)
  return string.format('%015.0f', call('INCR', base .. 'n:' .. what))
end
