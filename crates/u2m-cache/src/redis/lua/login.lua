-- generation, grant, new generation, new grant, session, life in ms
if field('session') == ARGV[5] then return {'ok'} end
if number(field('generation')) ~= number(ARGV[1]) or field('grant') ~= ARGV[2] then
  return {'changed'}
end
redis.call('HSET', KEYS[1], 'fence', next_fence(), 'generation', ARGV[3], 'grant', ARGV[4], 'session', ARGV[5])
redis.call('HDEL', KEYS[1], 'started', 'verdict')
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {'ok'}
