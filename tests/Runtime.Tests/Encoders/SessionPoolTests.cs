using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Sessions that wait for the next call take memory for as long as calls need them.</summary>
public sealed class SessionPoolTests
{
    [Test]
    public void Of_8_sessions_7_are_released_when_calls_come_one_at_a_time()
    {
        using var model = (PretrainedModel)PretrainedModels.Load<IBaseModel>(TestData.Model("demo-embed"));
        using var pool = new SessionPool(model);
        Session[] all = [.. Enumerable.Range(0, 8).Select(_ => pool.Rent(ModelInputs.None))];
        foreach (Session session in all)
            pool.Return(session);
        pool.ReleaseUnused();
        Assert.That(pool.Idle, Is.EqualTo(8), "all were in use since the last collection, before which there was none");

        for (int call = 0; call < 3; call++)
            pool.Return(pool.Rent(ModelInputs.None));
        pool.ReleaseUnused();
        Assert.That(pool.Idle, Is.EqualTo(1));
        Assert.That(all.Select(session => session.State), Is.EqualTo(Enumerable.Repeat("disposed", 7).Append("idle")));

        pool.ReleaseUnused();
        Assert.That(pool.Idle, Is.EqualTo(0), "no call came");
    }

    [Test]
    public void A_session_that_is_rented_when_others_are_released_comes_back()
    {
        using var model = (PretrainedModel)PretrainedModels.Load<IBaseModel>(TestData.Model("demo-embed"));
        using var pool = new SessionPool(model);
        Session first = pool.Rent(ModelInputs.None), second = pool.Rent(ModelInputs.None);
        pool.Return(first);
        pool.ReleaseUnused();
        pool.ReleaseUnused();
        Assert.That((pool.Idle, first.State, second.State), Is.EqualTo((0, "disposed", "idle")));
        pool.Return(second);
        Assert.That(pool.Rent(ModelInputs.None), Is.SameAs(second));
    }

    [Test]
    public void Full_collections_release_the_sessions_of_a_pipeline_that_is_not_used()
    {
        using var pipeline = FeatureExtractionPipeline.Load(TestData.Model("demo-embed"));
        FloatTensor before = pipeline.Extract("def add(a, b):");
        Assert.That(pipeline.Sessions.Idle, Is.EqualTo(1));
        for (int i = 0; i < 4; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.That(pipeline.Sessions.Idle, Is.EqualTo(0));
        Assert.That(pipeline.Extract("def add(a, b):").Span.ToArray(), Is.EqualTo(before.Span.ToArray()));
    }
}
