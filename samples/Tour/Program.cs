using ManagedTransformers.Kernels;
using ManagedTransformers.Tour;

// Everything that names no level itself runs through the plain loops, too.
Environment.SetEnvironmentVariable(KernelDispatch.EnvironmentVariable, nameof(KernelLevel.Reference));

string[] unknown = [.. args.Where(name => Chapters.All.All(chapter => chapter.Name != name))];
if (unknown.Length > 0)
{
    Console.Error.WriteLine($"There is no chapter {string.Join(", ", unknown)}. "
        + $"The chapters are {string.Join(", ", Chapters.All.Select(chapter => chapter.Name))}; without a name all of them run.");
    return 2;
}

Console.OutputEncoding = System.Text.Encoding.UTF8;
foreach (Chapter chapter in Chapters.All.Where(chapter => args.Length == 0 || args.Contains(chapter.Name)))
{
    foreach (Block block in chapter.Run())
        Console.WriteLine($"── {block.Id}\n{block.Text}\n");
}
return 0;
