using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using ManagedTransformers.Bench;

namespace ManagedTransformers.Serving.Tests;

/// <summary>Calls from many threads while what they call is disposed: each gets the right answer, or hears that it is gone.</summary>
public sealed class DisposalTests
{
    private const int Threads = 64, Cases = 16;

    private static readonly string[] s_names =
        ["tokenize", "fill-mask", "classify", "tag", "embed", "generate", "stream", "score", "engine generates", "engine embeds"];

    private static readonly SoakKind[] s_kinds = [.. s_names.Select(name => SoakKinds.All.Single(kind => kind.Name == name))];

    private ConcurrentQueue<string> _wrong = [];
    private long _right, _gone;
    private volatile bool _disposing;
    private SoakWatch _watch = new(Threads);

    [Test]
    public void Sixty_four_threads_get_right_answers_until_all_is_disposed() => Run(rounds: 1, calls: 10, seed: 1);

    /// <summary>64 threads × 10 kinds × 10⁴ calls: 6,400,000, in a hundred rounds (or MTX_SOAK_ROUNDS), each of which disposes its models in the
    /// middle.</summary>
    [Test]
    [Explicit("Makes 6,400,000 calls, in about half an hour")]
    [Category("Soak")]
    public void Six_million_calls_are_right_or_hear_that_what_they_call_is_gone() => Run(
        int.Parse(Environment.GetEnvironmentVariable("MTX_SOAK_ROUNDS") ?? "100", CultureInfo.InvariantCulture), calls: 100, seed: 1);

    [Test]
    public void Where_no_call_ends_it_is_said_what_each_thread_does()
    {
        var watch = new SoakWatch(threads: 3) { Patience = TimeSpan.FromMilliseconds(300) };
        watch.Begin(0, s_kinds[0], 5);
        watch.End(0);
        watch.Begin(1, s_kinds[3], 7);
        Assert.That(() => watch.Wait(new TaskCompletionSource().Task, "the calls"), Throws.TypeOf<TimeoutException>().With.Message.EqualTo(
            "the calls: no call has ended for 0 s, after 1. thread 0: no call; thread 1: tag 7 for 0 s; thread 2: no call"));
    }

    private void Run(int rounds, int calls, int seed)
    {
        (_wrong, _right, _gone, _watch) = ([], 0, 0, new SoakWatch(Threads));
        using var directories = new TinyModels();
        Dictionary<SoakKind, SoakAnswer[]> right = RightAnswers(directories);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < rounds; round++)
        {
            Round(new SoakModels(name => directories[name], parts: 2), right, calls, new Random((seed * 1000) + round));
            TestContext.Progress.WriteLine($"round {round + 1}: {_right} right answers, {_gone} heard that it was disposed, {_wrong.Count} wrong; " +
                $"{_watch.Ended / Stopwatch.GetElapsedTime(start).TotalSeconds:F0} calls/s");
        }
        Assert.That(_wrong, Is.Empty);
        Assert.That(_right + _gone, Is.EqualTo((long)rounds * Threads * s_kinds.Length * calls));
        Assert.That(_right, Is.GreaterThan(_gone / 4), "it is disposed in the middle");
        Assert.That(_gone, Is.GreaterThan(0), "it is disposed in the middle");
    }

    private static Dictionary<SoakKind, SoakAnswer[]> RightAnswers(TinyModels directories)
    {
        var models = new SoakModels(name => directories[name], parts: 2);
        var right = s_kinds.ToDictionary(kind => kind, kind => Soak.RightAsync(models, kind, Cases).GetAwaiter().GetResult());
        models.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return right;
    }

    private void Round(SoakModels models, Dictionary<SoakKind, SoakAnswer[]> right, int calls, Random random)
    {
        _disposing = false;
        long until = _watch.Ended + (long)(Threads * s_kinds.Length * calls * ((0.5 * random.NextDouble()) + 0.3));
        int[] seeds = [.. Enumerable.Range(0, Threads).Select(_ => random.Next())];
        Task all = Task.WhenAll(seeds.Select((seed, thread) => SoakWatch.OnThread(() => Calls(models, right, calls, thread, new Random(seed)))));
        _watch.Wait(SoakWatch.OnThread(() => SpinWait.SpinUntil(() => _watch.Ended >= until || all.IsCompleted)), "the first calls");
        _disposing = true;
        _watch.Wait(SoakWatch.OnThread(() => models.DisposeAsync().AsTask().GetAwaiter().GetResult()), "disposing");
        _watch.Wait(all, "the calls");
    }

    private void Calls(SoakModels models, Dictionary<SoakKind, SoakAnswer[]> right, int calls, int thread, Random random)
    {
        SoakKind[] order = [.. Enumerable.Range(0, calls).SelectMany(_ => s_kinds)];
        random.Shuffle(order);
        foreach (SoakKind kind in order)
        {
            int n = random.Next(Cases);
            _watch.Begin(thread, kind, n);
            try
            {
                SoakAnswer answer = kind.Ask(models, n).GetAwaiter().GetResult()!;
                if (right[kind][n].DifferenceTo(answer, kind.Tolerance) is string wrong)
                    _wrong.Enqueue($"{kind.Name} {n}: {wrong}");
                Interlocked.Increment(ref _right);
            }
            catch (ObjectDisposedException) when (_disposing)
            {
                Interlocked.Increment(ref _gone);
            }
            catch (Exception e)
            {
                _wrong.Enqueue($"{kind.Name} {n}: {e}");
                Interlocked.Increment(ref _right);
            }
            _watch.End(thread);
        }
    }
}
