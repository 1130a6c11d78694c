-- Forgets the holder's challenge; with an id, only if it is that one. What was
-- compared on it is kept for the next one's sake: it may not be on record yet.
-- KEYS[1]  the holder's key
-- ARGV     id or ''; how long to keep the count in ms
-- Returns  {id}
local function int(s)
  if type(s) == 'string' and #s < 16 and string.find(s, '^%d+$') then return tonumber(s) end
end

local key, id = KEYS[1], ARGV[1]
local h = redis.call('HMGET', key, 'id', 'base', 'tries', 'tried', 'burner', 'forgiven')
if id ~= '' and h[1] ~= id then return {id} end

redis.call('DEL', key)
local compared = (int(h[2]) or 0) + math.min(int(h[3]) or 0, int(h[4]) or 0) - (int(h[6]) or 0)
if compared > 0 and not h[5] then
  redis.call('HSET', key, 'base', compared)
  redis.call('PEXPIRE', key, ARGV[2])
end
return {id}
