-- Puts values under keys if the first key still holds what the caller saw there.
--
-- KEYS     the keys; the first one decides; one more than there are values is
--          the session's list, which notes the others
-- ARGV[1]  what the caller saw under the first key; empty: nothing
-- ARGV[2]  how long the values live, in milliseconds
-- ARGV[3…] a value for each key
--
-- Returns {1, ''} when it was done, else {0, what the first key holds}. No value
-- is sealed alike twice, so what was seen can't have gone and come back.
local holds = redis.call('GET', KEYS[1]) or ''
if holds ~= ARGV[1] then
  return {0, holds}
end
local values = #ARGV - 2
if #KEYS > values then -- before anything lies about that the list doesn't know
  redis.call('SADD', KEYS[#KEYS], unpack(KEYS, 1, values))
  redis.call('PEXPIRE', KEYS[#KEYS], ARGV[2])
end
for i = values, 1, -1 do -- the first key last: it must never promise what isn't there
  redis.call('SET', KEYS[i], ARGV[i + 2], 'PX', ARGV[2])
end
return {1, ''}
