-- generation, grant, new generation, new grant, session, life in ms, the writer's clock
if field('session') == ARGV[5] then return {'ok'} end
if not is_at(ARGV[1], ARGV[2]) then return {'changed'} end
redis.call('HSET', KEYS[1], 'fence', next_fence(), 'generation', ARGV[3], 'grant', ARGV[4], 'session', ARGV[5],
  'ahead', ahead(ARGV[7]))
redis.call('HDEL', KEYS[1], 'started', 'verdict', 'from', 'by')
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {'ok'}
