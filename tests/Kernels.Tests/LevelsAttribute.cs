using System.Collections;
using NUnit.Framework.Interfaces;

namespace ManagedTransformers.Kernels.Tests;

/// <summary>Runs a test with every kernel level that this machine has.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class LevelsAttribute : NUnitAttribute, IParameterDataSource
{
    public IEnumerable GetData(IParameterInfo parameter) => KernelDispatch.Supported;
}

/// <summary>Runs a test with every level that computes with vectors.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class VectorLevelsAttribute : NUnitAttribute, IParameterDataSource
{
    public IEnumerable GetData(IParameterInfo parameter) => KernelDispatch.Supported.Where(level => level != KernelLevel.Reference);
}
