using System.Collections;
using NUnit.Framework.Interfaces;

namespace ManagedTransformers.Kernels.Tests;

/// <summary>Runs a test with every kernel level that this machine has.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class LevelsAttribute : NUnitAttribute, IParameterDataSource
{
    public IEnumerable GetData(IParameterInfo parameter) => KernelDispatch.Supported;
}
