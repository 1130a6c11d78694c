-- Puts values under keys if the first key still holds what the caller saw there.
--
-- KEYS     the keys; the first one decides
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
for i = #KEYS, 1, -1 do -- the first key last: it must never promise what isn't there
  redis.call('SET', KEYS[i], ARGV[i + 2], 'PX', ARGV[2])
end
return {1, ''}
