-- owner, fence, generation, grant, lease in ms, marker
if redis.call('GET', KEYS[2]) ~= ARGV[1] or field('fence') ~= ARGV[2] or not is_at(ARGV[3], ARGV[4]) then
  return {'superseded'}
end
local before = field('started')
redis.call('HSET', KEYS[1], 'started', ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'ok', before}
