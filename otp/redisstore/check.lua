-- Counts a guess, then compares it.
-- KEYS[1]  the holder's key
-- ARGV     id; seal; now in ms; nonce; burner;
--          then the guess's mac in generation 1, 2, ...
-- Returns  {id, nonce, 'gone' | 'wrong' | 'right' | 'again' | 'used', guesses left}
--
-- Only redis.call: an error anywhere ends the script before it can say 'right'.
-- A count that failed and was carried on from would be a guess for nothing,
-- which is what a full Redis does to a script that catches it.
local function int(s)
  if type(s) == 'string' and #s < 16 and string.find(s, '^%d+$') then return tonumber(s) end
end

local key, id, seal, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local nonce, burner = ARGV[4], ARGV[5]
local function answer(outcome, left) return {id, nonce, outcome, left or 0} end

-- Gone? Made for something else? Expired? Whatever cannot be read is gone.
local h = redis.call('HMGET', key, 'id', 'seal', 'mac', 'generation', 'expires', 'tries', 'burner', 'nonce', 'left')
if h[1] ~= id or h[2] ~= seal then return answer('gone') end
local generation, expires, tries = int(h[4]), int(h[5]), int(h[6])
if not (generation and generation > 0 and expires and tries) then return answer('gone') end
local guess = ARGV[5 + generation]
if not guess or now >= expires then return answer('gone') end

-- The guess before this one, whose answer was lost on the way.
if h[8] == nonce then return answer('wrong', int(h[9])) end

-- Count, then compare.
local tried = redis.call('HINCRBY', key, 'tried', 1)
if tried > tries then return answer('gone') end

if guess ~= h[3] then
  if h[7] then return answer('gone') end
  redis.call('HSET', key, 'nonce', nonce, 'left', tries - tried)
  return answer('wrong', tries - tried)
end

-- A right code spends no try: the same burner may come again.
redis.call('HINCRBY', key, 'tried', -1)
if not h[7] then
  redis.call('HSET', key, 'burner', burner)
  return answer('right')
end
if h[7] == burner then return answer('again') end
return answer('used')
