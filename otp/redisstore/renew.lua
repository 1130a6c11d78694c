-- Replaces code and times of a live challenge by the next generation's.
-- KEYS[1]  the holder's key
-- ARGV     id; seal; now in ms; the next generation; its mac; its end in ms;
--          its resend time in ms; how long to keep it in ms
-- Returns  {id, 'renewed' | 'gone'}
local function int(s)
  if type(s) == 'string' and #s < 16 and string.find(s, '^%d+$') then return tonumber(s) end
end

local id, seal, now, generation = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local gone = {id, 'gone'}

local h = redis.call('HMGET', KEYS[1], 'id', 'seal', 'generation', 'expires', 'tries', 'tried', 'burner')
if h[1] ~= id or h[2] ~= seal or h[7] then return gone end
local stored, expires, tries, tried = int(h[3]), int(h[4]), int(h[5]), int(h[6])
if not (stored and expires and tries and tried) then return gone end
if stored ~= generation - 1 or now >= expires or tried >= tries then return gone end

redis.call('HSET', KEYS[1], 'generation', ARGV[4], 'mac', ARGV[5], 'expires', ARGV[6], 'resend', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
return {id, 'renewed'}
