-- fence, generation, grant, new generation, new grant, session, life in ms, life of a tombstone in ms, the writer's clock,
-- the generation of another answer to the same refresh token that this one replaces
if field('session') == ARGV[6] then return {'ok'} end
local fence, generation = field('fence'), field('generation')
if generation ~= '' then
  if field('grant') ~= ARGV[3] then return {'superseded'} end
  -- Older ones tell of a server that came back with data of before: what is saved here is newer.
  if number(generation) > number(ARGV[2]) then
    -- Of two answers to one refresh token the one of the later holder counts, until the other's own token is sent.
    if field('from') ~= ARGV[2] or number(field('by')) >= number(ARGV[1]) or field('started') ~= '' then
      return {'superseded'}
    end
    if generation ~= ARGV[10] then return {'older', generation} end
  end
elseif micros() - number(ARGV[1]) > number(ARGV[8]) * 1000 then
  -- A logout leaves a tombstone. Where there is none (a lock alone says nothing), the data was lost, unless the tombstone's
  -- life is over too.
  return {'superseded'}
end
-- The first write of a script is the one that a full server refuses: giving back the marker's room is not refused.
redis.call('HDEL', KEYS[1], 'started', 'verdict')
redis.call('HSET', KEYS[1], 'fence', whole(math.max(number(fence), number(ARGV[1]))), 'generation', ARGV[4],
  'grant', ARGV[5], 'session', ARGV[6], 'from', ARGV[2], 'by', ARGV[1], 'ahead', ahead(ARGV[9]))
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {'ok'}
