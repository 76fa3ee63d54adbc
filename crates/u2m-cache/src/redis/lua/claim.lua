-- owner, lease in ms, how long an answer may take in ms, life in ms, the entry that holds the token
local spent = field('spent')
if spent ~= '' then return {'spent', spent} end
local now, by, again = micros(), field('owner'), ''
if by ~= '' and by ~= ARGV[1] then
  local lease = math.min(number(field('until')) - now, number(ARGV[2]) * 1000)
  if lease > 0 then return {'busy', left(lease)} end
  -- Its owner is gone, and may have sent it. No answer takes longer than this, whatever the clock has done.
  local answer = number(field('sent')) + number(ARGV[3]) * 1000 - now
  if answer > number(ARGV[3]) * 1000 then answer = 0 end
  if answer > 0 then return {'sent', left(answer)} end
  again = 'again'
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', whole(now + number(ARGV[2]) * 1000), 'sent', whole(now),
  'in:' .. ARGV[5], '1')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'ok', again}
