-- KEYS: the stream, its meta. ARGV: the epoch and the number behind which to read, how many.
local epoch, newest, id = current()
if newest == '0' then
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'replid', id, 'newest', newest)
end
local oldest = string.format('%.0f', tonumber(newest) + 1)
local first = redis.call('XRANGE', KEYS[1], epoch .. '-1', '+', 'COUNT', 1)
if #first > 0 then oldest = string.match(first[1][1], '-(%d+)$') end
local events = {}
if ARGV[1] == epoch and tonumber(ARGV[3]) > 0 then
  events = redis.call('XRANGE', KEYS[1], '(' .. epoch .. '-' .. ARGV[2], '+', 'COUNT', ARGV[3])
end
return {epoch, oldest, newest, events}
