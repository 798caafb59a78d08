namespace ManagedTransformers.Models.Tests;

/// <summary>Weight files that change while a model is loaded.</summary>
[TestFixture]
public class ChangedFileTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void CopyModel()
    {
        _directory = new TemporaryDirectory();
        foreach (string name in new[] { "config.json", "model.safetensors" })
            File.Copy(RepositoryFiles.PathOf($"tests/data/reference/models/bert-embed/{name}"), _directory[name]);
    }

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [TestCase("cut")]
    [TestCase("overwritten")]
    [TestCase("longer")]
    public void A_mapped_file_that_is_written_to_in_place_is_refused_when_the_next_pass_begins(string how)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows lets nobody write to a file that is mapped.");
        using var model = PretrainedModels.Load<PretrainedModel>(_directory.Path);
        using Session session = model.CreateSession();
        Forward(model, session);
        Change(how);
        Assert.That(() => Forward(model, session), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("model.safetensors was written to while it is used").And.Message.Contains("Replace files by a rename"));
        Assert.That(() => Forward(model, session), Throws.TypeOf<CheckpointException>(), "the session is not left in a pass");
    }

    [TestCase("cut")]
    [TestCase("overwritten")]
    [TestCase("longer")]
    public void A_file_that_was_read_into_memory_may_change(string how)
    {
        using var model = PretrainedModels.Load<PretrainedModel>(_directory.Path, new LoadOptions { MapWeights = false });
        using Session session = model.CreateSession();
        float[] before = Forward(model, session);
        Change(how);
        Assert.That(Forward(model, session), Is.EqualTo(before));
    }

    [TestCase("renamed")]
    [TestCase("deleted")]
    [TestCase("saved")]
    public void A_mapped_file_may_be_replaced_by_a_rename(string how)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("Windows does not replace a mapped file.");
        using var model = PretrainedModels.Load<PretrainedModel>(_directory.Path);
        using Session session = model.CreateSession();
        float[] before = Forward(model, session);
        string file = _directory["model.safetensors"];
        if (how == "renamed") File.Move(_directory.Add("other", new byte[8]), file, overwrite: true);
        else if (how == "deleted") File.Delete(file);
        else model.Save(_directory.Path);
        Assert.That(Forward(model, session), Is.EqualTo(before));
    }

    private void Change(string how)
    {
        using var file = new FileStream(_directory["model.safetensors"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        if (how == "cut") file.SetLength(file.Length / 2);
        else if (how == "longer") file.SetLength(file.Length + 1);
        else
        {
            Thread.Sleep(20);                              // a clock of the kernel ticks every 4 ms, or 10
            file.Write(new byte[file.Length]);
        }
    }

    private static float[] Forward(PretrainedModel model, Session session) =>
        [.. model.Forward(ModelInputs.Of(1, 2, 3), session).NamedTensors().SelectMany(tensor => tensor.ToArray())];
}
