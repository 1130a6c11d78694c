-- Reads a proof and keeps it for another idle period.
--
-- KEYS[1]  the proof
-- ARGV[1]  the idle period, in milliseconds
--
-- Returns the sealed proof, or nil. The end that no use can put off lies inside
-- the seal, where this script can't see it: its reader judges it.
local proof = redis.call('GET', KEYS[1])
if proof then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return proof
