-- Stores a challenge in place of whatever the holder had, with as many tries as
-- what was compared before leaves it.
-- KEYS[1]  the holder's key
-- ARGV     id; how long to keep it in ms; tries; base; the count of wrong codes
--          in a row that brings a block; then field, value, field, value ...
-- Returns  {id, tries}; with 0 tries nothing was stored and nothing changed
local function int(s)
  if type(s) == 'string' and #s < 16 and string.find(s, '^%d+$') then return tonumber(s) end
end

local key, id, keep = KEYS[1], ARGV[1], ARGV[2]
local tries, base, block = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

-- What was compared on the challenge that goes, and may not be on record yet. A
-- right code ended that row. Whatever is no hash is no challenge.
local compared, burnt = 0, false
if redis.call('TYPE', key).ok == 'hash' then
  local h = redis.call('HMGET', key, 'base', 'tries', 'tried', 'burner', 'forgiven')
  burnt = h[4] ~= false
  if not burnt then
    -- tried goes on counting when the tries are spent, and nothing is compared
    compared = (int(h[1]) or 0) + math.min(int(h[2]) or 0, int(h[3]) or 0) - (int(h[5]) or 0)
  end
end

tries = math.min(tries, block - math.max(base, compared))
if tries < 1 then return {id, 0} end
base = burnt and 0 or math.max(base, compared)

-- Redis asks for memory at the first write of a script alone, and not for a DEL.
-- A full one refuses this, while nothing has changed.
redis.call('SET', key, '')
redis.call('DEL', key)
redis.call('HSET', key, 'tries', tries, 'base', base, unpack(ARGV, 6))
redis.call('PEXPIRE', key, keep)
return {id, tries}
