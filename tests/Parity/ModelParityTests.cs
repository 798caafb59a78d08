using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Parity;

/// <summary>Every case of the reference outputs, at every kernel level that this machine has.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class ModelParityTests
{
    private static IEnumerable<TestCaseData> Cases() =>
        from directory in Directory.EnumerateDirectories(Repository.Reference("models")).Order(StringComparer.Ordinal)
        from level in KernelDispatch.Supported
        select new TestCaseData(Path.GetFileName(directory), level).SetArgDisplayNames(Path.GetFileName(directory), level.ToString());

    [TestCaseSource(nameof(Cases))]
    public void Every_output_is_within_1e_4_of_transformers(string name, KernelLevel level)
    {
        var options = new LoadOptions { Kernels = new KernelOptions { Level = level } };
        CaseReport report = ReferenceCase.Verify(Repository.Reference("models", name), options);
        Assert.That(report.Rows, Is.Not.Empty);
        Assert.That(report.Rows.Where(row => !row.Passed), Is.Empty);
    }
}
