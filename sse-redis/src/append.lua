-- KEYS: the stream, its meta, what recognises this event. ARGV: the largest length, the event, the largest
-- event that its bell carries.
local known = redis.call('GET', KEYS[3])
if known then return known end
local epoch, newest, id = current()
local number = string.format('%.0f', tonumber(newest) + 1)
local place = epoch .. '-' .. number
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], place, 'v', ARGV[2])
redis.call('HSET', KEYS[2], 'epoch', epoch, 'replid', id, 'newest', number)
redis.call('SET', KEYS[3], place, 'EX', 60)
local bell = place .. ' '
if #ARGV[2] <= tonumber(ARGV[3]) then bell = bell .. ARGV[2] end
redis.call('PUBLISH', KEYS[1], bell)
return place
