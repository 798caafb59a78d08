using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Parity;

/// <summary>Every case of the reference outputs, at every kernel level that this machine has.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class ModelParityTests
{
    private static IEnumerable<TestCaseData> ReferenceCases() => CasesIn(Repository.Reference("models"));

    private static IEnumerable<TestCaseData> OwnCases() => CasesIn(Repository.Data("parity"));

    private static IEnumerable<TestCaseData> CasesIn(string folder) =>
        from directory in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)
        from level in KernelDispatch.Supported
        select new TestCaseData(Path.GetFileName(directory), level).SetArgDisplayNames(Path.GetFileName(directory), level.ToString());

    [TestCaseSource(nameof(ReferenceCases))]
    public void Every_output_is_within_1e_4_of_transformers(string name, KernelLevel level) => AssertPasses(Repository.Reference("models", name), level);

    /// <summary>Features that the cases of transformers leave out; the outputs are those of tools/reference/equations.py.</summary>
    [TestCaseSource(nameof(OwnCases))]
    public void Every_output_is_within_1e_4_of_an_independent_implementation(string name, KernelLevel level) =>
        AssertPasses(Repository.Data("parity", name), level);

    private static void AssertPasses(string directory, KernelLevel level)
    {
        var options = new LoadOptions { Kernels = new KernelOptions { Level = level } };
        CaseReport report = ReferenceCase.Verify(directory, options);
        Assert.That(report.Rows, Is.Not.Empty);
        Assert.That(report.Rows.Where(row => !row.Passed), Is.Empty);
    }
}
