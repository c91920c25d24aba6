-- Returns the epoch, the newest number, and what marks the life of the server. Where the replication ID is
-- another one, the server may have lost its newest events, and a greater epoch begins. Fails on a replica,
-- whose stream may be behind.
local function current()
  local replication = redis.call('INFO', 'replication')
  if not string.find(replication, 'role:master', 1, true) then
    error({err = 'READONLY the server is a replica'})
  end
  local id = string.match(replication, 'master_replid:(%x+)')
  local epoch, of_id, newest = unpack(redis.call('HMGET', KEYS[2], 'epoch', 'replid', 'newest'))
  if epoch and of_id == id then return epoch, newest, id end
  local time = redis.call('TIME')
  -- In milliseconds: a server does not come back within one.
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if epoch and tonumber(epoch) >= now then now = tonumber(epoch) + 1 end
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  if #last > 0 then
    local of_last = tonumber(string.match(last[1][1], '^(%d+)-'))
    if of_last >= now then now = of_last + 1 end
  end
  return string.format('%.0f', now), '0', id
end
