namespace ManagedTransformers.Kernels.Tests;

public sealed class TranspositionTests
{
    [Test]
    public void Two_rows_of_three_become_three_rows_of_two()
    {
        byte[] y = new byte[6];
        Transposition.Run([1, 2, 3, 4, 5, 6], 2, 3, 1, y, KernelOptions.Default);
        Assert.That(y, Is.EqualTo(new byte[] { 1, 4, 2, 5, 3, 6 }));
    }

    [Test]
    public void Element_i_j_becomes_element_j_i([Values(1, 2, 4, 8)] int size, [Values(1, 31, 32, 33, 200)] int rows, [Values(1, 31, 64, 100)] int columns,
        [Values(1, 3)] int threads)
    {
        byte[] x = new byte[rows * columns * size];
        new Random(1).NextBytes(x);
        using var y = new Guarded(x.Length, 8);
        Transposition.Run(x, rows, columns, size, y.Bytes, new KernelOptions { MaxThreads = threads });
        y.AssertIntact();
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                if (!y.Bytes.Slice(((j * rows) + i) * size, size).SequenceEqual(x.AsSpan(((i * columns) + j) * size, size)))
                    Assert.Fail($"element {i}, {j}");
    }

    [Test]
    public void What_does_not_fit_is_refused_with_both_numbers()
    {
        Assert.That(() => Transposition.Run(new byte[5], 2, 3, 1, new byte[6], KernelOptions.Default),
            Throws.ArgumentException.With.Message.Contains("5").And.Message.Contains("6"));
        Assert.That(() => Transposition.Run(new byte[6], 2, 3, 1, new byte[5], KernelOptions.Default), Throws.ArgumentException);
        Assert.That(() => Transposition.Run(new byte[18], 2, 3, 3, new byte[18], KernelOptions.Default),
            Throws.ArgumentException.With.Message.Contains("3 bytes"));
    }
}
