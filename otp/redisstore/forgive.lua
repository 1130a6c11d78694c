-- Forgives what was compared so far: it counts against no challenge to come. A
-- live challenge stays as it is, with the tries that it has left.
-- KEYS[1]  the holder's key
-- ARGV     ''
-- Returns  {''}
local function int(s)
  if type(s) == 'string' and #s < 16 and string.find(s, '^%d+$') then return tonumber(s) end
end

local key = KEYS[1]
local h = redis.call('HMGET', key, 'id', 'tries', 'tried')
if not h[1] then
  redis.call('DEL', key)
else
  redis.call('HSET', key, 'base', 0, 'forgiven', math.min(int(h[2]) or 0, int(h[3]) or 0))
end
return {ARGV[1]}
