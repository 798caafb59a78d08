namespace ManagedTransformers.Serving.Tests;

/// <summary>Samplers that travel as data.</summary>
public sealed class SamplerStepTests
{
    [Test]
    public void A_step_does_what_its_processor_does()
    {
        using TextGenerator generator = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));
        foreach ((SamplerStep step, LogitsProcessor processor) in new (SamplerStep, LogitsProcessor)[]
        {
            (SamplerStep.Of("top_k", 2, 1), new TopKLogitsWarper(2, 1)), (SamplerStep.Of("temperature", 0.5), new TemperatureLogitsWarper(0.5)),
            (SamplerStep.Of("penalties", -1, 2, 0.25, 0.5), new WindowPenalties(-1, 2, 0.25, 0.5)), (SamplerStep.Of("only_best"), new OnlyBest()),
            (SamplerStep.Of("frequency", 1, 0.5, 0.25), new FrequencyPenalty(1, 0.5, 0.25)),
        })
        {
            float[] scores = [1, 4, 2, 3], expected = [1, 4, 2, 3];
            new PortableProcessor(step, generator).Process([0, 1, 1], scores);
            processor.Process([0, 1, 1], expected);
            Assert.That(scores, Is.EqualTo(expected), step.Name);
        }
    }

    [Test]
    public void What_this_version_does_not_know_is_refused_and_time_that_ran_elsewhere_counts()
    {
        Assert.That(() => SamplerStep.Of("mirostat", 2).Processor(null!), Throws.TypeOf<ModelInputException>().With.Message.Contains("\"mirostat\""));
        Assert.That(() => SamplerStep.Of("grammar").Criterion(null!), Throws.TypeOf<ModelInputException>().With.Message.Contains("\"grammar\""));
        Assert.That(SamplerStep.Of("line_time", 500).After(TimeSpan.FromMilliseconds(200)).Values, Is.EqualTo(new[] { 300.0 }));
        Assert.That(SamplerStep.Of("indent", 4).After(TimeSpan.FromMilliseconds(200)).Values, Is.EqualTo(new[] { 4.0 }));
    }
}
