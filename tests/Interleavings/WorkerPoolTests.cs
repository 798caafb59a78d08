namespace ManagedTransformers.Interleavings;

public sealed class WorkerPoolTests
{
    private readonly struct Count(int[] counts, int fails) : IJob
    {
        public void Execute(int task)
        {
            Schedule.Point();
            if (task == fails)
                throw new FormatException("task");
            counts[task]++;
        }
    }

    [Test]
    public void Every_task_of_every_call_runs_once_and_no_call_waits_for_ever([Values(1, 2)] int callers) =>
        Assert.That(Schedule.Explore(Exploration.Schedules(100), seed => Once(seed, callers)), Is.Null);

    private static string? Once(int seed, int callers)
    {
        var pool = new WorkerPool();
        int[][] counts = [.. Enumerable.Range(0, callers * 3).Select(_ => new int[4])];
        Schedule schedule = Schedule.Run(seed, [.. Enumerable.Range(0, callers).Select(caller => (Action)(() =>
        {
            for (int call = 0; call < 3; call++)
                pool.Run(4, 3, new Count(counts[(caller * 3) + call], fails: -1));
        }))]);
        return schedule.Failure ?? (Array.Exists(counts, one => Array.Exists(one, times => times != 1))
            ? string.Join(' ', counts.SelectMany(one => one)) : null);
    }

    [Test]
    public void A_task_that_throws_ends_its_call_and_the_next_one_runs() => Assert.That(Schedule.Explore(Exploration.Schedules(100), seed =>
    {
        var pool = new WorkerPool();
        int[] first = new int[6], second = new int[6];
        bool thrown = false;
        Schedule schedule = Schedule.Run(seed, () =>
        {
            try
            {
                pool.Run(6, 3, new Count(first, fails: 2));
            }
            catch (FormatException)
            {
                thrown = true;
            }
            pool.Run(6, 3, new Count(second, fails: -1));
        });
        return schedule.Failure ?? (thrown && Array.TrueForAll(first, times => times <= 1) && Array.TrueForAll(second, times => times == 1) ? null
            : $"thrown {thrown}: {string.Join(' ', first)}, {string.Join(' ', second)}");
    }), Is.Null);
}
