/** Runs `work` on every item, at most `limit` at once; one that fails does not stop the others. The first failure is thrown at the end, the others are told to `onFurther`. */
export async function mapBounded<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>, onFurther: (error: unknown) => void): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await work(item);
      } catch (error) {
        if (failures.push(error) > 1) onFurther(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
