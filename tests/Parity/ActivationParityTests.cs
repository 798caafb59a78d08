using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Parity;

/// <summary>
/// Every activation that a hook can give, against those of modules written a second time in PyTorch (tools/reference/modules.py, through dump.py's hooks).
/// </summary>
[Parallelizable(ParallelScope.Children)]
public sealed class ActivationParityTests
{
    private static IEnumerable<TestCaseData> Files() =>
        from file in Directory.EnumerateFiles(Repository.Data("activations"), "*.safetensors").Order(StringComparer.Ordinal)
        from level in KernelDispatch.Supported
        select new TestCaseData(Path.GetFileNameWithoutExtension(file), level).SetArgDisplayNames(Path.GetFileNameWithoutExtension(file), level.ToString());

    [TestCaseSource(nameof(Files))]
    public void Every_activation_is_within_1e_4_of_an_independent_implementation(string name, KernelLevel level)
    {
        using ActivationSet theirs = ActivationSet.Open(Repository.Data("activations", $"{name}.safetensors"));
        using PretrainedModel model = PretrainedModels.Load(Repository.Reference("models", name),
            new LoadOptions { Kernels = new KernelOptions { Level = level } });
        using ActivationSet ours = ActivationSet.Run(model, theirs);
        ActivationComparison found = ActivationComparison.Compare(ours, theirs);
        Assert.That(found.Tensors.Where(tensor => !tensor.Passed), Is.Empty);
        Assert.That(found.OnlyInTheirs, Is.Empty);
        Assert.That(found.Tensors, Has.Count.GreaterThan(40));
    }
}
