-- owner, lease in ms, life in ms
local by, now = field('owner'), micros()
-- A server that took over may never have heard of it.
if by == '' and field('spent') == '' then
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'sent', whole(now))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif by ~= ARGV[1] then
  return {'lost'}
end
redis.call('HSET', KEYS[1], 'until', whole(now + number(ARGV[2]) * 1000))
return {'ok'}
