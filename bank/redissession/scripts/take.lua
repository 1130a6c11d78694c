-- Takes one of the uses that a caller has in a period.
--
-- KEYS[1]  the times of the latest uses that were taken, newest first
-- ARGV[1]  now
-- ARGV[2]  the period
-- ARGV[3]  how many uses there are in one
--
-- Returns 0 when it was taken, else how long it is until there is one. All times
-- are in milliseconds. What isn't a list of times ends the script by an error.
local now, period, uses = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], uses - 1)
if oldest then
  local wait = tonumber(oldest) + period - now
  if wait > 0 then
    return wait
  end
end
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, uses - 1)
redis.call('PEXPIRE', KEYS[1], period)
return 0
