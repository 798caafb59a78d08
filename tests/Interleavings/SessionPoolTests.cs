using ManagedTransformers.Serving;

namespace ManagedTransformers.Interleavings;

public sealed class SessionPoolTests
{
    /// <summary>A session that nobody disposes keeps its model's file mapped for ever.</summary>
    [Test]
    public void Every_session_is_disposed_whoever_returns_it_while_the_pool_releases_sessions_and_is_disposed()
    {
        var config = (BertConfig)CheckpointSummary.ReadConfig(Path.Combine(RepositoryRoot.Path, "models", "demo-embed"));
        using var model = (PretrainedModel)(object)PretrainedModels.FromConfig<IBaseModel>(
            config with { VocabSize = 10, HiddenSize = 4, NumHiddenLayers = 1, NumAttentionHeads = 1, IntermediateSize = 4 });
        Assert.That(Schedule.Explore(Exploration.Schedules(100), seed => Once(seed, model)), Is.Null);
    }

    private static string? Once(int seed, PretrainedModel model)
    {
        var pool = new SessionPool(model);
        var rented = new List<Session>();
        Action caller = () =>
        {
            for (int i = 0; i < 2; i++)
            {
                Session session;
                try
                {
                    session = pool.Rent(ModelInputs.None);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
                rented.Add(session);
                Schedule.Point();
                pool.Return(session);
            }
        };
        Schedule schedule = Schedule.Run(seed, caller, caller, pool.ReleaseUnused, pool.ReleaseUnused, pool.Dispose);
        return schedule.Failure ?? (rented.TrueForAll(session => session.State == "disposed") ? null
            : $"of {rented.Count} sessions {rented.Count(session => session.State != "disposed")} are not disposed");
    }
}
