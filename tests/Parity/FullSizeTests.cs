using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Parity;

/// <summary>Checkpoints of the real sizes, rebuilt from their specification. They take minutes and 2 GB, so they run when asked for.</summary>
public sealed class FullSizeTests
{
    [Test]
    public void The_first_values_of_wte_with_seed_3003_are_those_of_the_specification()
    {
        ulong key = SyntheticCheckpoint.Key("transformer.wte.weight", 3003);
        float[] first = [.. Enumerable.Range(0, 4).Select(i => SyntheticCheckpoint.Value(key, i, center: 0, halfWidth: 0.6))];
        Assert.That(first, Is.EqualTo(new[] { -0.11407899856567383f, -0.02126162126660347f, 0.09061381965875626f, 0.21572105586528778f }));
    }

    private static IEnumerable<TestCaseData> Cases() =>
        from directory in Directory.EnumerateDirectories(Repository.Reference("fullsize")).Order(StringComparer.Ordinal)
        from level in KernelDispatch.Supported.Where(level => level != KernelLevel.Reference)
        select new TestCaseData(Path.GetFileName(directory), level).SetArgDisplayNames(Path.GetFileName(directory), level.ToString());

    [TestCaseSource(nameof(Cases))]
    [Explicit("Rebuilds checkpoints of up to 700 MB")]
    [Category("FullSize")]
    public void Every_slice_is_within_1e_4_of_transformers(string name, KernelLevel level)
    {
        var options = new LoadOptions { Kernels = new KernelOptions { Level = level } };
        CaseReport report = ReferenceCase.Verify(Repository.Reference("fullsize", name), options);
        Assert.That(report.Rows, Is.Not.Empty);
        Assert.That(report.Rows.Where(row => !row.Passed), Is.Empty);
    }
}
