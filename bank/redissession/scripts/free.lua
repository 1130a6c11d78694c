-- Deletes each key that still holds what the caller saw there.
--
-- KEYS  the keys
-- ARGV  what the caller saw under each
--
-- Returns how many it deleted.
local freed = 0
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[i] then
    freed = freed + redis.call('DEL', key)
  end
end
return freed
