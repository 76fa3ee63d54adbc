-- generation, grant, session, life in ms
if field('session') == '' or field('grant') ~= ARGV[2] or number(field('generation')) >= number(ARGV[1]) then
  return {'moved'}
end
redis.call('HDEL', KEYS[1], 'started', 'verdict', 'ahead', 'from', 'by')
redis.call('HSET', KEYS[1], 'fence', next_fence(), 'generation', ARGV[1], 'session', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'ok'}
