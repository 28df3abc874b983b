-- Doing a batch: the end of the script that writes.

-- --- the batch -------------------------------------------------------------------------------------------------------

local receipt, batch = base .. 'w:' .. ARGV[2], tonumber(ARGV[3])
local before = call('GET', receipt)
if before then
  local kept = cmsgpack.unpack(before)
  if kept[1] >= batch then
    call('PEXPIRE', receipt, RECEIPT_MS)
    return kept[2]
  end
end

local answers = {}
for number = 4, #ARGV do
  local line_end = string.find(ARGV[number], '\n', 1, true)
  local made = cjson.decode(string.sub(ARGV[number], 1, line_end - 1))
  body, place = ARGV[number], line_end + 1
  local done, answer = pcall(operations[made.op], made)
  if not done then
    answer = { FAILED, type(answer) == 'table' and answer.err or tostring(answer) }
  end
  answers[number - 3] = answer
end
pcall(call, 'SET', receipt, cmsgpack.pack({ batch, answers }), 'PX', RECEIPT_MS)
if #told_names > 0 then
  pcall(call, 'PUBLISH', base .. 'inbox', table.concat(told_names, ','))
end
if has_work then
  pcall(call, 'PUBLISH', base .. 'tasks', '')
end
return answers
