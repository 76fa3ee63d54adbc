-- owner, fence, generation, grant, lease in ms, marker
if redis.call('GET', KEYS[2]) ~= ARGV[1] or field('fence') ~= ARGV[2]
  or number(field('generation')) ~= number(ARGV[3]) or field('grant') ~= ARGV[4] then
  return {'superseded'}
end
redis.call('HSET', KEYS[1], 'started', ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'ok'}
