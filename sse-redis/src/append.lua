-- KEYS: the stream, its meta, what recognises this event. ARGV: the largest length, the event, the largest
-- event that its bell carries, for how many seconds the event is recognised, the epoch in which it is to be
-- appended, or nothing.
-- Returns the event's place; and the error, where something failed once the stream had the event.
local epoch, newest, id = current()
local known = redis.call('GET', KEYS[3])
if known and string.match(known, '^%d+') == epoch then
  -- A write, so that replicas that are waited for have the event, too.
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  return known
end
if ARGV[5] ~= '' and ARGV[5] ~= epoch then
  return redis.error_reply('OTHEREPOCH the log is in the epoch ' .. epoch)
end
local number = string.format('%.0f', tonumber(newest) + 1)
local place = epoch .. '-' .. number
-- The first write is refused where there is no memory, and nothing is done. A number without an event is a
-- gap that clients are told of; an event without a number would stop the topic.
redis.call('HSET', KEYS[2], 'epoch', epoch, 'replid', id, 'newest', number)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], place, 'v', ARGV[2])
local bell = place .. ' '
if #ARGV[2] <= tonumber(ARGV[3]) then bell = bell .. ARGV[2] end
for _, result in ipairs({
  redis.pcall('SET', KEYS[3], place, 'EX', ARGV[4]),
  redis.pcall('PUBLISH', KEYS[1], bell),
}) do
  if type(result) == 'table' and result.err then return {place, result.err} end
end
return place
