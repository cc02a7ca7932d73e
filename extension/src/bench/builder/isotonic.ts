/**
 * Weighted least squares under order: the non-decreasing numbers nearest to the wanted ones
 * (pool adjacent violators; Barlow et al., Statistical Inference under Order Restrictions, 1972).
 */
export function isotonic(wanted: readonly number[], weights: readonly number[]): number[] {
  const pools: { sum: number; weight: number; size: number }[] = [];
  wanted.forEach((x, i) => {
    const weight = weights[i] ?? 1;
    let pool = { sum: x * weight, weight, size: 1 };
    for (
      let last = pools.at(-1);
      last && last.sum / last.weight > pool.sum / pool.weight;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = {
        sum: pool.sum + last.sum,
        weight: pool.weight + last.weight,
        size: pool.size + last.size
      };
    }
    pools.push(pool);
  });
  return pools.flatMap(pool => Array<number>(pool.size).fill(pool.sum / pool.weight));
}
